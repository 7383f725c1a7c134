"""Verifies tokens as a third party does: PyJWT and, for the list that a token names, in either form,
`token-status-list`.

    python verify.py ISSUER   < tokens, one a line   > a line of JSON each
"""

import json
import sys
import urllib.request
import zlib

import cbor2
import jwt
from token_status_list import BitArray

ISSUER = sys.argv[1]
KEYS = jwt.PyJWKClient(f"{ISSUER}/.well-known/jwks.json")
ALGORITHMS = ["EdDSA", "ES256", "RS256"]


def fetch(uri, media):
    request = urllib.request.Request(uri, headers={"accept": media})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.headers["content-type"] == media, answer.headers["content-type"]
        return answer.read()


def claims_of(text, **expected):
    key = KEYS.get_signing_key_from_jwt(text)
    return jwt.decode(text, key, algorithms=ALGORITHMS, **expected)


def look(token):
    claims = claims_of(token.removeprefix("wst_"), issuer=ISSUER, audience=ISSUER)
    place = claims["status"]["status_list"]
    listed = claims_of(fetch(place["uri"], "application/statuslist+jwt").decode(), issuer=ISSUER)
    assert listed["sub"] == place["uri"], listed["sub"]
    bits = BitArray.load(listed["status_list"])
    assert cwt_of(place["uri"]) == bits.lst, "both forms say the same"
    return {"status": int(bits[place["idx"]]), "places": len(bits)}


def cwt_of(uri):
    """The bits of a list as a CWT (RFC 8392), which PyJWT knows nothing of: COSE_Sign1 by hand."""
    message = cbor2.loads(fetch(uri, "application/statuslist+cwt"))
    assert message.tag == 18, message.tag
    protected, unprotected, payload, signature = message.value
    header, claims = cbor2.loads(protected), cbor2.loads(payload)
    assert header[16] == "application/statuslist+cwt", header
    key = next(key for key in KEYS.get_signing_keys() if key.key_id.encode() == unprotected[4])
    algorithm = {-8: "EdDSA", -7: "ES256", -257: "RS256"}[header[1]]
    signed = cbor2.dumps(["Signature1", protected, b"", payload])
    assert jwt.get_algorithm_by_name(algorithm).verify(signed, key.key, signature), "the signature"
    assert (claims[1], claims[2], claims[65534]) == (ISSUER, uri, 60), claims
    assert claims[4] - claims[6] == 180, claims
    assert claims[65533]["bits"] == 1, claims
    return zlib.decompress(claims[65533]["lst"])


for line in sys.stdin:
    try:
        verdict = look(line.strip())
    except jwt.PyJWTError as error:
        verdict = {"refused": type(error).__name__}
    print(json.dumps(verdict), flush=True)
