"""Access tokens that nobody was given. Each is the work of somebody who knows how tokens look, and what libraries of
tokens have let pass; none of them is believed.

They are made here with the standard library and `cryptography`, not with the library that checks them.
"""

from __future__ import annotations

import base64
import hmac
import json

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from filewright.chassis.identity.access import LEEWAY, LIFE, Access, TokenRefused
from filewright.chassis.ids import RandomIds
from filewright.chassis.sealing import derived

HEADLESS = {"alg": "HS256", "typ": "at+jwt", "jwk": {"kty": "oct", "k": ""}}
SECRET = b"a secret of the tests, of thirty-two bytes and more"
FACTS = {"tier": "free", "role": "user"}


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encoded(value: object) -> str:
    return b64(json.dumps(value, separators=(",", ":")).encode())


class Forger:
    """Has a good token of their own, and for insiders' forgeries the key."""

    def __init__(self, good: str, key: bytes, now: int) -> None:
        self.good, self.key, self.now = good, key, now
        self.head, self.body, self.mark = good.split(".")
        self.header = json.loads(unb64(self.head))
        self.claims = json.loads(unb64(self.body))

    def signed(self, header=None, claims=None, *, key=None, digest="sha256") -> str:
        """A token with a right signature by the given key; the service's own, if none is given."""
        content = f"{encoded({**self.header, **(header or {})})}.{encoded({**self.claims, **(claims or {})})}"
        return f"{content}.{b64(hmac.digest(self.key if key is None else key, content.encode(), digest))}"

    def without(self, *names: str) -> str:
        content = f"{self.head}.{encoded({name: value for name, value in self.claims.items() if name not in names})}"
        return f"{content}.{b64(hmac.digest(self.key, content.encode(), 'sha256'))}"

    def unsigned(self, header) -> str:
        return f"{encoded({**self.header, **header})}.{self.body}."

    def body_of(self, raw: bytes) -> str:
        content = f"{self.head}.{b64(raw)}"
        return f"{content}.{b64(hmac.digest(self.key, content.encode(), 'sha256'))}"


def rsa_signed(forger: Forger, algorithm: str) -> str:
    private = rsa.generate_private_key(65537, 2048)
    content = f"{encoded({**forger.header, 'alg': algorithm})}.{forger.body}"
    pad = padding.PSS(padding.MGF1(hashes.SHA256()), 32) if algorithm.startswith("PS") else padding.PKCS1v15()
    return f"{content}.{b64(private.sign(content.encode(), pad, hashes.SHA256()))}"


def ec_signed(forger: Forger) -> str:
    private = ec.generate_private_key(ec.SECP256R1())
    content = f"{encoded({**forger.header, 'alg': 'ES256'})}.{forger.body}"
    return f"{content}.{b64(private.sign(content.encode(), ec.ECDSA(hashes.SHA256())))}"


def ed_signed(forger: Forger) -> str:
    private = ed25519.Ed25519PrivateKey.generate()
    content = f"{encoded({**forger.header, 'alg': 'EdDSA'})}.{forger.body}"
    return f"{content}.{b64(private.sign(content.encode()))}"


def a_public_key(form: str) -> bytes:
    public = rsa.generate_private_key(65537, 2048).public_key()
    encoding = serialization.Encoding.PEM if form == "pem" else serialization.Encoding.DER
    return public.public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)


def with_own_jwk(forger: Forger, **more) -> str:
    jwk = {"kty": "oct", "k": b64(b"x" * 32), "kid": "mine"}
    return forger.signed({"jwk": jwk, **more}, key=b"x" * 32)


STRANGERS = {
    # no signature, under every spelling
    **{f"alg-{name or 'empty'}": lambda f, name=name: f.unsigned({"alg": name})
       for name in ("none", "None", "NONE", "nOnE", "")},
    "alg-none-with-old-mark": lambda f: f"{encoded({**f.header, 'alg': 'none'})}.{f.body}.{f.mark}",
    "alg-null": lambda f: f.unsigned({"alg": None}),
    "alg-list": lambda f: f.unsigned({"alg": ["HS256", "none"]}),
    "alg-missing": lambda f: f"{encoded({'typ': f.header['typ'], 'kid': f.header['kid']})}.{f.body}.",
    "signature-empty": lambda f: f"{f.head}.{f.body}.",
    "signature-missing": lambda f: f"{f.head}.{f.body}",
    "signature-cut": lambda f: f.good[:-4],
    "signature-longer": lambda f: f.good + "AAAA",
    "signature-zeros": lambda f: f"{f.head}.{f.body}.{b64(bytes(32))}",
    "signature-of-another-body": lambda f: f"{f.head}.{encoded({**f.claims, 'role': 'admin'})}.{f.mark}",
    "signature-bit": lambda f: f"{f.head}.{f.body}.{b64(bytes([unb64(f.mark)[0] ^ 1]) + unb64(f.mark)[1:])}",
    "body-bit": lambda f: f"{f.head}.{b64(unb64(f.body)[:-1] + bytes([unb64(f.body)[-1] ^ 1]))}.{f.mark}",
    # keys of their own
    "key-empty": lambda f: f.signed(key=b""),
    "key-zeros": lambda f: f.signed(key=bytes(32)),
    "key-word": lambda f: f.signed(key=b"secret"),
    "key-is-kid": lambda f: f.signed(key=f.header["kid"].encode()),
    "key-is-issuer": lambda f: f.signed(key=f.claims["iss"].encode()),
    "key-is-public-pem": lambda f: f.signed(key=a_public_key("pem")),
    "key-is-public-der": lambda f: f.signed(key=a_public_key("der")),
    "rs256": lambda f: rsa_signed(f, "RS256"),
    "ps256": lambda f: rsa_signed(f, "PS256"),
    "es256": ec_signed,
    "eddsa": ed_signed,
    "es256-zeros": lambda f: f"{encoded({**f.header, 'alg': 'ES256'})}.{f.body}.{b64(bytes(64))}",
    # where to find the key, says the token
    "jwk": with_own_jwk,
    "jwk-without-kid": lambda f: f"{encoded(HEADLESS)}.{f.body}.{f.mark}",
    "jku": lambda f: f.signed({"jku": "https://evil.example/keys"}, key=b"x" * 32),
    "x5u": lambda f: f.signed({"x5u": "https://evil.example/cert"}, key=b"x" * 32),
    "x5c": lambda f: f.signed({"x5c": [b64(a_public_key("der"))]}, key=b"x" * 32),
    "kid-unknown": lambda f: f.signed({"kid": "sgk_" + "1" * 26}, key=b"x" * 32),
    "kid-path": lambda f: f.signed({"kid": "../../../../dev/null"}, key=b""),
    "kid-proc": lambda f: f.signed({"kid": "/proc/sys/kernel/randomize_va_space"}, key=b"2\n"),
    "kid-sql": lambda f: f.signed({"kid": "x' UNION SELECT 'key' -- "}, key=b"key"),
    "kid-command": lambda f: f.signed({"kid": "|/bin/true"}, key=b""),
    "kid-list": lambda f: f.signed({"kid": [f.header["kid"]]}, key=b""),
    "kid-number": lambda f: f.signed({"kid": 0}, key=b""),
    "kid-null": lambda f: f.signed({"kid": None}, key=b""),
    "kid-huge": lambda f: f.signed({"kid": "k" * 100_000}, key=b""),
    "kid-nul": lambda f: f.signed({"kid": f.header["kid"] + "\0"}, key=b""),
    # what is no token
    "empty": lambda f: "",
    "dots": lambda f: "..",
    "four-parts": lambda f: f.good + ".x",
    "five-parts": lambda f: f"{f.head}...{f.body}.{f.mark}",
    "not-base64": lambda f: f"{f.head}.{f.body}.!!!!",
    "not-ascii": lambda f: f"{f.head}.{f.body}.ä",
    "surrogate": lambda f: f"{f.head}.\udc80.{f.mark}",
    "padded": lambda f: f"{f.head}=.{f.body}.{f.mark}",
    "head-not-json": lambda f: f"{b64(b'not json')}.{f.body}.{f.mark}",
    "head-deep": lambda f: f"{b64(b'[' * 2500)}.{f.body}.{f.mark}",
    "head-twice-alg": lambda f: b64(json.dumps(f.header)[:-1].encode() + b', "alg": "none"}') + f".{f.body}.",
    "head-spaced": lambda f: f"{b64(json.dumps(f.header, indent=1).encode())}.{f.body}.{f.mark}",
    "head-from-an-encrypted-token": lambda f: f"{encoded({'alg': 'dir', 'enc': 'A256GCM'})}....{f.mark}",
    "huge": lambda f: f"{f.head}.{'A' * 1_000_000}.{f.mark}",
    "json-serialization": lambda f: json.dumps({"protected": f.head, "payload": f.body, "signature": f.mark}),
    "key-of-another-purpose": lambda f: f.signed(key=derived(SECRET, "refresh")),
}  # fmt: skip

INSIDERS = {
    # by somebody who could sign: every claim is looked at all the same
    "alg-hs512": lambda f: f.signed({"alg": "HS512"}, digest="sha512"),
    "alg-hs384": lambda f: f.signed({"alg": "HS384"}, digest="sha384"),
    "alg-lower": lambda f: f.signed({"alg": "hs256"}),
    "typ-jwt": lambda f: f.signed({"typ": "JWT"}),
    "typ-other": lambda f: f.signed({"typ": "rt+jwt"}),
    "typ-null": lambda f: f.signed({"typ": None}),
    "cty-nested": lambda f: f.signed({"cty": "JWT"}),
    "crit": lambda f: f.signed({"crit": ["exp"], "exp": 1}),
    "b64-false": lambda f: f.signed({"b64": False, "crit": ["b64"]}),
    "zip": lambda f: f.signed({"zip": "DEF"}),
    "one-more-header": lambda f: f.signed({"x": 1}),
    **{f"no-{name}": lambda f, name=name: f.without(name)
       for name in ("iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp", "auth_time", "scope", "tier", "role")},
    "iss-other": lambda f: f.signed(claims={"iss": "urn:other:accounts"}),
    "iss-list": lambda f: f.signed(claims={"iss": [f.claims["iss"]]}),
    "aud-other": lambda f: f.signed(claims={"aud": "urn:other:api"}),
    "aud-several": lambda f: f.signed(claims={"aud": [f.claims["aud"], "urn:other:api"]}),
    "aud-empty": lambda f: f.signed(claims={"aud": ""}),
    "expired": lambda f: f.signed(claims={"iat": f.now - 1000, "nbf": f.now - 1000, "exp": f.now - 400}),
    "expired-just-now": lambda f: f.signed(claims={"exp": f.now - int(LEEWAY.total_seconds())}),
    "not-yet": lambda f: f.signed(claims={"nbf": f.now + 300}),
    "from-the-future": lambda f: f.signed(claims={"iat": f.now + 300, "exp": f.now + 600}),
    "too-long": lambda f: f.signed(claims={"exp": f.claims["iat"] + int(LIFE.total_seconds()) + 1}),
    "for-ever": lambda f: f.signed(claims={"exp": 2**62}),
    "exp-text": lambda f: f.signed(claims={"exp": str(f.claims["exp"])}),
    "exp-float": lambda f: f.signed(claims={"exp": float(f.claims["exp"]) + 0.5}),
    "exp-true": lambda f: f.signed(claims={"exp": True}),
    "exp-null": lambda f: f.signed(claims={"exp": None}),
    "exp-infinite": lambda f: f.body_of(json.dumps({**f.claims, "exp": float("inf")}).encode()),
    "sub-number": lambda f: f.signed(claims={"sub": 1}),
    "sid-other": lambda f: f.signed(claims={"sid": "x"}),
    "sid-list": lambda f: f.signed(claims={"sid": [f.claims["sid"]]}),
    "scope-list": lambda f: f.signed(claims={"scope": ["admin"]}),
    "role-list": lambda f: f.signed(claims={"role": ["admin"]}),
    "body-list": lambda f: f.body_of(b"[]"),
    "body-text": lambda f: f.body_of(b'"token"'),
    "body-null": lambda f: f.body_of(b"null"),
    "body-empty": lambda f: f.body_of(b""),
    "body-binary": lambda f: f.body_of(b"\xff\xfe"),
    "body-deep": lambda f: f.body_of(b'{"a":' * 600),
}  # fmt: skip


@pytest.fixture
async def forger(keys, tokens, clock):
    access = Access("usr_1", RandomIds(clock).new("ses"), frozenset({"jobs:read"}), clock.now(), FACTS)
    good = await tokens.make(access)
    assert (await tokens.check(good)).user == "usr_1"
    key = (await keys.signer()).key.raw_value
    return Forger(good, key, int(clock.now().timestamp()))


def test_there_are_enough_of_them():
    assert len(STRANGERS) + len(INSIDERS) >= 60


@pytest.mark.requirement("S4")
async def test_a_forger_with_the_key_makes_a_token_that_is_believed(forger, tokens):
    """Else the forgeries below prove nothing."""
    assert (await tokens.check(forger.signed(claims={"sub": "usr_2"}))).user == "usr_2"


async def is_believed(tokens, text) -> bool:
    try:
        await tokens.check(text)
    except TokenRefused:
        return False
    return True


@pytest.mark.requirement("S4")
async def test_no_forgery_is_believed(forger, tokens):
    forged = {name: make(forger) for name, make in {**STRANGERS, **INSIDERS}.items()}
    assert forger.good not in forged.values()
    assert [name for name, text in forged.items() if await is_believed(tokens, text)] == []


@pytest.mark.requirement("S4")
async def test_a_forgery_is_refused_without_asking_the_database_more_than_once_a_second(
    forger, tokens, keys, monkeypatch
):
    asked = []
    look = keys.refresh_once

    async def counted():
        asked.append(1)
        return await look()

    monkeypatch.setattr(keys, "refresh_once", counted)
    for number in range(1, 51):
        with pytest.raises(TokenRefused):
            await tokens.check(forger.signed({"kid": f"sgk_{number:026d}"}))
    assert len(asked) <= 1
