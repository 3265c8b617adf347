"""pii-shield-wasi hides secrets in lines of a log."""

from pii_shield import PiiShield, PiiShieldConfig
from running import run

LINES = [
    "Connecting to DB with password: MySuperSecretPassword123!",
    "user=jane card 4111 1111 1111 1111 from 10.0.0.1",
    '{"level": "info", "api_key": "sk-9fQ2xV7bLm3Zt8Kd1Rw5Yp0a"}',
    "nothing to see here\r\nGET /index?token=aGVsbG8gd29ybGQgdGhpcyBpcw HTTP/1.1\n",
]
shields = [PiiShield(PiiShieldConfig(salt="pepper", entity_type_labels=labels)) for labels in (True, False)]


def job() -> object:
    """Each line by both."""
    return [[shield.redact(line) for line in LINES] for shield in shields]


run(job)
