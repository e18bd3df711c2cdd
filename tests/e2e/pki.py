"""Certificates for the end-to-end tests, by the openssl command, what DNS and
a configuration say of them, and what became of mail that they decide about."""
import hashlib
import os
import subprocess

from mxtest import make_cert, wait_for

__all__ = ["Authority", "CLEAR", "TLS", "make_cert", "meets", "pin", "tlsa"]

TLS, CLEAR = "in TLS", "in clear"


def openssl(*args, data=None):
    return subprocess.run(["openssl", *args], input=data, check=True,
                          capture_output=True).stdout


def dns_name(name):
    """The extension with one DNS name as raw DER: for names that openssl's
    own syntax cannot write, such as one with a NUL in it."""
    return "DER:" + (bytes([0x30, len(name) + 2, 0x82, len(name)]) + name).hex()


class Authority:
    def __init__(self, top, name="ca"):
        self.top = top
        self.cert, self.key = make_cert(top, name)

    def issue(self, file, san=None, cn="x", days=30):
        """A pair; the authority's certificate stands behind its own."""
        cert, key = (os.path.join(self.top, file + end) for end in (".pem", ".key"))
        openssl("req", "-x509", "-CA", self.cert, "-CAkey", self.key, "-newkey", "ec",
                "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key,
                "-out", cert, "-days", str(days), "-subj", f"/CN={cn}",
                "-addext", "basicConstraints=critical,CA:FALSE",
                *(("-addext", f"subjectAltName={san}") if san else ()))
        with open(self.cert, "rb") as f, open(cert, "ab") as out:
            out.write(f.read())
        return cert, key

    def issue_expired(self, file, san):
        """It ends when it begins: that is over as soon as the clock has moved."""
        cert, key = self.issue(file, san)
        openssl("x509", "-req", "-in", self.request(file, san, key), "-CA", self.cert,
                "-CAkey", self.key, "-days", "0", "-copy_extensions", "copyall", "-out", cert)
        wait_for("its end", lambda: subprocess.run(
            ["openssl", "x509", "-in", cert, "-noout", "-checkend", "0"],
            check=False, capture_output=True).returncode)
        return cert, key

    def request(self, file, san, key):
        out = os.path.join(self.top, file + ".csr")
        openssl("req", "-new", "-key", key, "-subj", "/CN=x", "-out", out,
                "-addext", f"subjectAltName={san}")
        return out


def der(cert, selector):
    """RFC 6698 2.1.2: 0 is the whole certificate, 1 its key."""
    if selector == 0:
        return openssl("x509", "-in", cert, "-outform", "DER")
    public = openssl("x509", "-in", cert, "-pubkey", "-noout")
    return openssl("pkey", "-pubin", "-outform", "DER", data=public)


def pin(cert):
    return "sha256:" + hashlib.sha256(der(cert, 1)).hexdigest()


def tlsa(cert, usage=3, selector=1, matching=1):
    data = der(cert, selector)
    if matching:
        data = (hashlib.sha256, hashlib.sha512)[matching - 1](data).digest()
    return f"{usage} {selector} {matching} {data.hex()}"


def fate(case, servers, name, user="user"):
    """Of mail for a user of name.test, the primary with this title: TLS, CLEAR,
    or why nothing was sent; "" while that is open."""
    domain = f"@{name}.test>"
    said = [c for s in servers for c in s.notes("cmd") if domain in c["cmd"]]
    if any(f"<{user}{domain}" in str(r["rcpt"]) for s in servers for r in s.index()):
        return " and ".join(sorted({TLS if c["tls"] else CLEAR for c in said}))
    result = case.ctl_json("primary", "show", name)["last_probe"]["result"]
    if said or result == "ok":    # a probe has come through: so will the mail
        return ""
    return result


def meets(case, servers, name, wanted):
    """Until its fate is this, or holds this text. Delivered is the end of it;
    what waits may have met nothing but a slow machine so far."""
    last = []

    def is_final():
        last[:] = [fate(case, servers, name)]
        return wanted.lower() in last[0].lower() or last[0].startswith((TLS, CLEAR))
    try:
        wait_for(name, is_final)
    except AssertionError:
        pass
    case.assertIn(wanted.lower(), last[0].lower())
