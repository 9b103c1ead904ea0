#!/bin/sh
# Installs the Debian packages that building, running and testing need, and only those that are missing.
#   tests/setup.sh          to build, run and test
#   tests/setup.sh bench    what the comparison in `make bench` needs as well
set -eu

packages="pkg-config libtesseract-dev libleptonica-dev libclang-dev clang
    tesseract-ocr tesseract-ocr-eng tesseract-ocr-osd
    libtiff-tools fonts-liberation fonts-dejavu-core poppler-utils python3 systemd
    openssl dovecot-imapd python3-aiosmtpd"
case "${1:-}" in
    "") ;;
    bench) packages="$packages ocrmypdf" ;;
    *) echo "usage: tests/setup.sh [bench]" >&2; exit 64 ;;
esac

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    echo "tests/setup.sh: this is no Debian (apt-get and dpkg-query are missing)." >&2
    echo "Install what answers to these packages, then run make with SETUP=true:" >&2
    echo $packages >&2
    exit 69
fi

missing=
for package in $packages; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done

if [ -n "$missing" ]; then
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "tests/setup.sh: missing:$missing" >&2
            echo "Run it as root, or install sudo." >&2
            exit 77
        fi
        as_root=sudo
    fi
    echo "tests/setup.sh: installing$missing"
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q
    # The tests start servers of their own: Debian's are installed and not started (invoke-rc.d asks this file).
    policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
        $as_root chmod 755 $policy
        trap '$as_root rm -f $policy' EXIT
    fi
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
fi

if ! command -v cargo >/dev/null; then
    echo "tests/setup.sh: cargo is missing: install Rust 1.90 or later from https://rustup.rs" >&2
    exit 69
fi
