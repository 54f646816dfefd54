"""Sensitive values: encrypted by Fernet (AES-128-CBC and HMAC-SHA256, `cryptography`) under keys that can be rotated.

A sealed value is `{"$sealed": "<key id>:<token>"}`, one that was never kept `{"$sealed": null}`. The first key of
`CONTEXT_KEYS` writes, all of them read.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from bandstand.config import section
from bandstand.sagas.config import SagasConfig
from bandstand.sagas.contexts import ContextSealed

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

__all__ = ["HIDDEN", "LEFT_OUT", "is_sealed", "key_fault", "seal", "unseal"]

HIDDEN = "•••"
"""What people are shown in place of a sensitive value."""
LEFT_OUT = msgspec.Raw(b'{"$sealed":null}')
"""What the history holds of a value that it must not keep."""

_SETTING = "BANDSTAND['SAGAS']['CONTEXT_KEYS']"


class _Sealed(msgspec.Struct, forbid_unknown_fields=True):
    token: str | None = msgspec.field(name="$sealed")


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Sealed)


@dataclass(frozen=True, slots=True, repr=False)
class _Ring:
    first: str
    by_id: Mapping[str, "Fernet"]


def seal(plain: bytes | msgspec.Raw) -> msgspec.Raw:
    """Encrypt a JSON value with the first key. Raises ContextSealed when no usable key is configured."""
    ring = _ring(section(SagasConfig).sealing_keys)
    token = ring.by_id[ring.first].encrypt(bytes(plain)).decode()
    return msgspec.Raw(_encoder.encode(_Sealed(token=f"{ring.first}:{token}")))


def unseal(field: str, raw: msgspec.Raw) -> msgspec.Raw:
    """Decrypt what `seal` wrote; a value written before its field was marked is given back as it is.

    Raises ContextSealed naming *field* and the id of the key that is missing.
    """
    sealed = _read(raw)
    if sealed is None:
        return raw
    if sealed.token is None:
        raise ContextSealed(f"{field} was left out of the history and cannot be read from it")
    key_id, _, token = sealed.token.partition(":")
    ring = _ring(section(SagasConfig).sealing_keys)
    key = ring.by_id.get(key_id)
    if key is None:
        raise ContextSealed(f"{field} is sealed with the key {key_id}; {_SETTING} holds: {', '.join(ring.by_id)}")
    return msgspec.Raw(_decrypted(field, key, token))


def is_sealed(value: Any) -> bool:
    """Whether *value*, as read from JSON, stands for a sealed or left out one."""
    return isinstance(value, dict) and len(value) == 1 and "$sealed" in value


def key_fault() -> str:
    """Why nothing can be sealed by this process; empty when it can."""
    try:
        _ring(section(SagasConfig).sealing_keys)
    except ContextSealed as error:
        return str(error)
    return ""


def _read(raw: msgspec.Raw) -> _Sealed | None:
    if b'"$sealed"' not in bytes(raw):
        return None
    try:
        return _decoder.decode(raw)
    except msgspec.ValidationError:
        return None


def _decrypted(field: str, key: "Fernet", token: str) -> bytes:
    from cryptography.fernet import InvalidToken  # noqa: PLC0415 - loading it takes longer than most processes need it

    try:
        return key.decrypt(token)
    except InvalidToken:
        raise ContextSealed(f"{field} was changed after it had been sealed, or cut") from None


@lru_cache(maxsize=4)
def _ring(keys: tuple[str, ...]) -> _Ring:
    from cryptography.fernet import Fernet  # noqa: PLC0415 - as above

    if not keys:
        raise ContextSealed(f"{_SETTING} holds no key, and a sensitive field needs one (SAGA_CONTEXT_KEYS)")
    by_id: dict[str, Fernet] = {}
    for number, key in enumerate(keys, start=1):
        try:
            by_id[_id(key)] = Fernet(key)
        except ValueError:
            raise ContextSealed(f"{_SETTING}: key {number} is no Fernet key, 32 bytes in URL-safe base64") from None
    return _Ring(first=_id(keys[0]), by_id=by_id)


def _id(key: str) -> str:
    """Names a key beside what it sealed; of 256 random bits it gives nothing away."""
    return hashlib.sha256(key.encode()).hexdigest()[:8]
