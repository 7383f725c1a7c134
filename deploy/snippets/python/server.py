"""Verifies workspace tokens in a Python service: PyJWT for the token, the standard library's zlib for
the list that says whether it was revoked. Copy this file and requirements.txt; then

    pip install -r requirements.txt
    ISSUER=https://ntd.example AUDIENCE=https://ntd.example python server.py

What it does NOT promise: that a revoked token is refused at once. A Token Status List is relied on for
its ttl (60 s), so that a token is accepted for up to 61 s after its revocation was answered, and for
longer where a cache stands between you and ntd. For "refused from then on", put `ntd edge` or nginx
with forward-auth in front of this service, and verify nothing here.

Whatever cannot be known is refused: no keys or no list means 503, never 200.
"""

import base64
import json
import os
import threading
import time
import urllib.request
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt

ISSUER = os.environ.get("ISSUER", "http://127.0.0.1:8480")
AUDIENCE = os.environ.get("AUDIENCE", ISSUER)
# In seconds; less than a list's own ttl has it fetched more often.
LIST_MAX_AGE = float(os.environ.get("LIST_MAX_AGE", "60"))
ALGORITHMS = ["EdDSA", "ES256", "RS256"]
LONGEST_LIST = 1 << 20

# Kept for as long as ntd says that keys may be: a revoked key is gone a minute later.
KEYS = jwt.PyJWKClient(f"{ISSUER}/.well-known/jwks.json", lifespan=60, timeout=5)


class Refused(Exception):
    """401: this token is not good."""


class Unknown(Exception):
    """503: nobody can say whether it is."""


def checked(text, typ, **expected):
    """The claims of something that ntd signed, of exactly this type."""
    try:
        if jwt.get_unverified_header(text).get("typ") != typ:
            raise Refused("another type")
        key = KEYS.get_signing_key_from_jwt(text)
        return jwt.decode(text, key, algorithms=ALGORITHMS, issuer=ISSUER, **expected)
    except jwt.PyJWKClientConnectionError as error:
        raise Unknown(f"the keys: {error}") from error
    except jwt.PyJWTError as error:
        raise Refused(str(error)) from error


class Lists:
    """The lists that are kept, each until its time is over."""

    def __init__(self):
        self.kept, self.turn = {}, threading.Lock()

    def bits(self, uri):
        if not uri.startswith(f"{ISSUER}/v1/status-lists/"):
            raise Refused("a list of somebody else")
        with self.turn:  # Many who wait for one list fetch it once.
            until, bits = self.kept.get(uri, (0, b""))
            if time.time() >= until:
                until, bits = self.kept[uri] = self.fetch(uri)
        return bits

    @staticmethod
    def fetch(uri):
        asked = time.time()
        accept = {"accept": "application/statuslist+jwt"}
        try:
            with urllib.request.urlopen(urllib.request.Request(uri, headers=accept), timeout=5) as it:
                text = it.read(LONGEST_LIST).decode()
            require = {"require": ["exp", "iat", "sub"]}
            claims = checked(text, "statuslist+jwt", subject=uri, options=require)
            listed = claims["status_list"]
            if listed["bits"] != 1:
                raise ValueError("not a list of single bits")
            packed = base64.urlsafe_b64decode(listed["lst"] + "==")
            bits = zlib.decompressobj().decompress(packed, LONGEST_LIST)
        except Exception as error:
            raise Unknown(f"the list: {error}") from error
        age = min(claims.get("ttl", LIST_MAX_AGE), LIST_MAX_AGE)
        return min(asked + age, claims["exp"]), bits


LISTS = Lists()


def verify(token):
    """The claims of a token that is good, as far as the lists say."""
    require = {"require": ["exp", "sub", "jti", "status"]}
    claims = checked(token.removeprefix("wst_"), "at+jwt", audience=AUDIENCE, options=require)
    place = claims["status"]["status_list"]
    bits, idx = LISTS.bits(place["uri"]), place["idx"]
    if not 0 <= idx < len(bits) * 8:
        raise Refused("not in its list")
    if bits[idx >> 3] >> (idx & 7) & 1:
        raise Refused("revoked")
    return claims


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return self.answer(401, {"www-authenticate": "Bearer"})
        try:
            claims = verify(token.strip())
        except Refused:
            return self.answer(401, {"www-authenticate": 'Bearer error="invalid_token"'})
        except Unknown as error:
            self.log_error("%s", error)
            return self.answer(503, {"retry-after": "1"})
        body = {"workspace": claims["sub"], "scope": claims["scope"]}
        return self.answer(200, {"content-type": "application/json"}, json.dumps(body).encode())

    def answer(self, status, headers, body=b""):
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    address = ("127.0.0.1", int(os.environ.get("PORT", "8000")))
    ThreadingHTTPServer(address, Handler).serve_forever()
