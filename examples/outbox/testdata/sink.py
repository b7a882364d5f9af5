#!/usr/bin/python3
# A real SMTP server (aiosmtpd) that keeps what it gets. Usage: sink.py OUT CERT KEY USER PASSWORD
# Each mail becomes OUT/NNNN.json: the envelope, how it came, and the message as Python's own parser reads it,
# with the defects that it finds. reject@ is refused for good and greylist@ the first time. Prints READY and its
# port; ends with its standard input, so that it cannot outlive the test.
import asyncio, email, email.policy, itertools, json, os, ssl, sys

from aiosmtpd.smtp import SMTP, AuthResult

out, cert, key, user, password = sys.argv[1:]
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(cert, key)
number = itertools.count(1)
seen = set()


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith('reject@'):
            return f'550 5.1.1 <{address}> is nobody here'
        if address.startswith('greylist@') and address not in seen:
            seen.add(address)
            return f'451 4.7.1 <{address}> try again later'
        envelope.rcpt_tos.append(address)
        return '250 OK'

    async def handle_DATA(self, server, session, envelope):
        m = email.message_from_bytes(envelope.original_content, policy=email.policy.default)
        parts = [{'type': p.get_content_type(), 'text': p.get_content(), 'defects': [str(d) for d in p.defects]}
                 for p in m.walk() if not p.is_multipart()]
        record = {
            'from': envelope.mail_from, 'to': envelope.rcpt_tos, 'tls': session.ssl is not None, 'auth': bool(session.authenticated),
            'headers': {k: str(v) for k, v in m.items()}, 'parts': parts,
            'defects': [str(d) for d in m.defects] + [str(d) for v in m.values() for d in v.defects],
        }
        name = f'{out}/{next(number):04d}.json'
        with open(name + '.new', 'w', encoding='utf-8') as f:
            json.dump(record, f)
        os.rename(name + '.new', name)
        return '250 OK'


def check(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login == user.encode() and data.password == password.encode()), handled=True)


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(
        Handler(), loop=loop, hostname='sink.test', enable_SMTPUTF8=True, tls_context=context, require_starttls=True,
        auth_required=True, authenticator=check), '127.0.0.1', 0)
    print('READY', server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    os._exit(0)

asyncio.run(main())
