"""Writes fresh.json: hashes made by other implementations than the ones under test.

Debian packages: python3-django 3.2, python3-passlib 1.7, python3-bcrypt 3.2, argon2 0~20171227, apache2-utils 2.4,
openssl 3.0; crypt is Python's, over libxcrypt. npm packages: firebase-scrypt 2.2, @better-auth/utils 0.4 (in fresh.mjs).

    npm install firebase-scrypt @better-auth/utils && python3 fresh.py > fresh.json
"""
import base64, crypt, hashlib, json, os, subprocess, sys, unicodedata, warnings

warnings.simplefilter("ignore")
import bcrypt
import django
from django.conf import settings
from django.contrib.auth import hashers
from passlib import hash as passlib

settings.configure(PASSWORD_HASHERS=["django.contrib.auth.hashers." + n for n in (
    "PBKDF2PasswordHasher", "PBKDF2SHA1PasswordHasher", "Argon2PasswordHasher", "BCryptSHA256PasswordHasher",
    "BCryptPasswordHasher", "MD5PasswordHasher", "SHA1PasswordHasher", "UnsaltedMD5PasswordHasher",
    "UnsaltedSHA1PasswordHasher")])
django.setup()

PLAIN = "correct horse battery staple"
UMLAUTS = "Grüße aus Köln, 2 Personen"
APART = unicodedata.normalize("NFD", UMLAUTS)  # as some systems type it
LONG = "0123456789" * 9
rows = []


def row(tool, password, encoded):
    rows.append({"password": password, "encoded": encoded.strip(), "tool": tool})


def run(command, stdin=None):
    return subprocess.run(command, input=stdin, capture_output=True, check=True).stdout.decode()


for password in (PLAIN, UMLAUTS, APART, "x", LONG[:72]):
    for name in ("pbkdf2_sha256", "pbkdf2_sha1", "argon2", "bcrypt_sha256", "bcrypt", "md5", "sha1", "unsalted_md5",
                 "unsalted_sha1"):
        hasher = hashers.get_hasher(name)
        hasher.iterations, hasher.rounds = 3000, 5
        hasher.memory_cost, hasher.parallelism = 512, 2
        salt = hasher.salt() if "unsalted" not in name else ""
        row("django " + name, password, hasher.encode(password, salt))
    row("passlib scrypt", password, passlib.scrypt.using(rounds=9).hash(password))
    row("passlib pbkdf2_sha1", password, passlib.pbkdf2_sha1.using(rounds=2000).hash(password))
    row("passlib pbkdf2_sha256", password, passlib.pbkdf2_sha256.using(rounds=2000).hash(password))
    row("passlib pbkdf2_sha512", password, passlib.pbkdf2_sha512.using(rounds=2000).hash(password))
    row("passlib md5_crypt", password, passlib.md5_crypt.hash(password))
    row("passlib apr_md5_crypt", password, passlib.apr_md5_crypt.hash(password))
    row("passlib ldap_salted_sha1", password, passlib.ldap_salted_sha1.hash(password))
    row("passlib ldap_salted_sha256", password, passlib.ldap_salted_sha256.hash(password))
    row("passlib ldap_salted_sha512", password, passlib.ldap_salted_sha512.hash(password))
    row("python bcrypt", password, bcrypt.hashpw(password.encode(), bcrypt.gensalt(5)).decode())
    row("libxcrypt", password, crypt.crypt(password, "$5$" + os.urandom(6).hex()))
    row("libxcrypt", password, crypt.crypt(password, "$6$" + os.urandom(6).hex()))
    row("libxcrypt", password, crypt.crypt(password, "$2y$05$" + bcrypt.gensalt(5).decode()[7:]))
    row("argon2 -i", password, run(["argon2", os.urandom(6).hex(), "-i", "-t", "3", "-k", "256", "-p", "2", "-e"],
                                   password.encode()))
    row("argon2 -id", password, run(["argon2", os.urandom(6).hex(), "-id", "-t", "2", "-k", "256", "-p", "1", "-e"],
                                    password.encode()))
    row("htpasswd -B", password, run(["htpasswd", "-nbB", "-C", "5", "u", password]).split(":", 1)[1])

for size in (1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 200, 256):  # around the blocks of both functions
    password = (LONG * 3)[:size]
    row("libxcrypt", password, crypt.crypt(password, "$5$rounds=1234$" + "salt" * 4))
    row("libxcrypt", password, crypt.crypt(password, "$6$rounds=1234$s"))
    row("openssl passwd -5", password, run(["openssl", "passwd", "-5", "-salt", "abcdefgh", password]))
    row("openssl passwd -6", password, run(["openssl", "passwd", "-6", "-salt", "abcdefgh", password]))
    row("openssl passwd -1", password, run(["openssl", "passwd", "-1", "-salt", "abcdefgh", password]))
    row("openssl passwd -apr1", password, run(["openssl", "passwd", "-apr1", "-salt", "abcdefgh", password]))


def b64(raw):
    return base64.b64encode(raw).decode()


for name in ("sha1", "sha224", "sha256", "sha384", "sha512", "sha3_224", "sha3_384"):
    salt = os.urandom(16)
    key = hashlib.pbkdf2_hmac(name, UMLAUTS.encode(), salt, 1500)
    label = name.replace("sha3_", "sha")
    row("hashlib " + name, UMLAUTS, "$pbkdf2-%s$i=1500,l=%d$%s$%s" % (
        label, len(key), b64(salt).rstrip("="), b64(key).rstrip("=")))
for n, r, p in ((16, 1, 1), (64, 8, 2), (1024, 8, 1), (512, 16, 3)):
    salt = os.urandom(12)
    key = hashlib.scrypt(UMLAUTS.encode(), salt=salt, n=n, r=r, p=p, dklen=32)
    row("hashlib scrypt", UMLAUTS, "$scrypt$ln=%d,r=%d,p=%d$%s$%s" % (
        n.bit_length() - 1, r, p, b64(salt).rstrip("="), b64(key).rstrip("=")))
    if n >= 64:
        row("hashlib scrypt", UMLAUTS, "$scrypt$ln=%d,r=%d,p=%d$%s$%s" % (n, r, p, b64(salt), b64(key)))
    key = hashlib.scrypt(UMLAUTS.encode(), salt=b"a salt as text", n=n, r=r, p=p, dklen=64)
    row("hashlib scrypt", UMLAUTS, "scrypt$%d$a salt as text$%d$%d$%s" % (n, r, p, b64(key)))

rows += json.loads(run(["node", os.path.join(os.path.dirname(os.path.abspath(__file__)), "fresh.mjs"), PLAIN, UMLAUTS, APART]))
json.dump(rows, sys.stdout, indent=1, ensure_ascii=False)
print()
