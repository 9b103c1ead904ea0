"""A mail server (Debian's aiosmtpd) on loopback that takes mail, or misbehaves as it is told.

usage: smtp_server.py FOLDER [--tls implicit|starttls --certificate PEM --key PEM] [--user NAME --password WORD]

Prints its port. Keeps each mail that it was given whole as FOLDER/mail/N.json: recipient, head, text, enclosed files (in
base64), whether it came under TLS and after a login, and what it was answered. FOLDER/orders holds a line `RECIPIENT
ORDER` for each transaction that is not simply to be taken, used up from the top; `*` is any recipient:

    rcpt CODE TEXT   answers the recipient so
    data CODE TEXT   answers the whole mail so, keeping it
    drop             cuts the connection in the middle of the text
    lose             keeps the mail and cuts the connection instead of answering
    stall            keeps the mail and never answers
"""

import argparse
import asyncio
import base64
import email
import email.policy
import json
import os
import ssl

from aiosmtpd.smtp import SMTP, AuthResult

arguments = argparse.ArgumentParser()
arguments.add_argument("folder")
arguments.add_argument("--tls", choices=["implicit", "starttls"])
arguments.add_argument("--certificate")
arguments.add_argument("--key")
arguments.add_argument("--user")
arguments.add_argument("--password")
told = arguments.parse_args()

MAIL = os.path.join(told.folder, "mail")
ORDERS = os.path.join(told.folder, "orders")
os.makedirs(MAIL, exist_ok=True)


def next_order(recipient):
    try:
        with open(ORDERS) as file:
            orders = file.read().splitlines()
    except FileNotFoundError:
        return "take"
    for position, line in enumerate(orders):
        of, order = line.split(" ", 1)
        if of in ("*", recipient):
            del orders[position]
            with open(ORDERS + ".next", "w") as file:
                file.write("".join(line + "\n" for line in orders))
            os.rename(ORDERS + ".next", ORDERS)
            return order
    return "take"


def keep(server, session, envelope, answer):
    message = email.message_from_bytes(envelope.content, policy=email.policy.default)
    parts = [part for part in message.walk() if not part.is_multipart()]
    enclosed = [part for part in parts if part.get_filename()]
    kept = {
        "recipient": envelope.rcpt_tos[0],
        "recipients": len(envelope.rcpt_tos),
        "from": envelope.mail_from,
        "head": {name.lower(): str(value) for name, value in message.items()},
        "text": "".join(part.get_content() for part in parts if not part.get_filename()),
        "enclosed": [
            {"name": part.get_filename(), "bytes": base64.b64encode(part.get_payload(decode=True)).decode()}
            for part in enclosed
        ],
        "tls": bool(session.ssl) or told.tls == "implicit",
        "login": bool(session.authenticated),
        "answer": answer,
    }
    number = len(os.listdir(MAIL)) + 1
    part = os.path.join(told.folder, "arriving")
    with open(part, "w") as file:
        json.dump(kept, file)
    os.rename(part, os.path.join(MAIL, f"{number:04}.json"))


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        server.order = next_order(address)
        if server.order.startswith("rcpt "):
            return server.order[5:]
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server, session, envelope):
        order = server.order
        answer = order[5:] if order.startswith("data ") else "250 2.0.0 taken"
        keep(server, session, envelope, answer if order in ("take",) or order.startswith("data ") else order)
        if order == "lose":
            server.transport.abort()
        if order == "stall":
            await asyncio.sleep(3600)
        return answer


class Server(SMTP):
    order = "take"

    async def smtp_DATA(self, arg):
        if self.order == "drop":
            await self.push("354 go ahead")
            await self._reader.readline()
            self.transport.abort()
            return
        await super().smtp_DATA(arg)


def authenticate(server, session, envelope, mechanism, data):
    known = (data.login, data.password) == (told.user.encode(), told.password.encode())
    return AuthResult(success=known, handled=False) if not known else AuthResult(success=True)


async def main():
    context = None
    if told.tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(told.certificate, told.key)
    options = {"hostname": "relay.example", "timeout": 60}
    if told.user:
        options.update(authenticator=authenticate, auth_required=True, auth_require_tls=told.tls == "starttls")
    if told.tls == "starttls":
        options.update(tls_context=context, require_starttls=True)
    implicit = context if told.tls == "implicit" else None
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Server(Handler(), **options), "127.0.0.1", 0, ssl=implicit)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
