# Sourced by the measuring scripts: `one_folder WORK INBOX` writes WORK/nicufaxd.toml for a daemon that takes the files of one
# folder at once. WORK/cases.csv is its registry, WORK/worklist its export.
one_folder() {
    cat > "$1/nicufaxd.toml" <<TOML
state_dir = "state"

[[intake.folder]]
name = "secure-fax"
path = "$2"
settle = "0s"

[cases]
path = "cases.csv"

[export]
dir = "worklist"
TOML
}
