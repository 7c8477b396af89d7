"""Locked office files: opened by the right password, refused by name with a wrong one or none."""

import hashlib
import io
import zipfile
import zlib
from base64 import b64encode

import openpyxl
import pypdfium2
import pytest
from Cryptodome.Cipher import AES, Blowfish
from msoffcrypto.format.ooxml import OOXMLFile

from filewright.chassis.sandbox.port import Command
from filewright.converter.engines.libreoffice import LibreOffice
from filewright.converter.engines.office2pdf import OFFICE2PDF
from filewright.converter.errors import CorruptInput, PasswordRequired, UnsupportedFormat, WrongPassword

LIBREOFFICE = pytest.param(LibreOffice(), id="libreoffice", marks=pytest.mark.engine("libreoffice"))
ENGINES = [LIBREOFFICE, pytest.param(OFFICE2PDF, id="office2pdf")]
PASSWORD = "pässwörd 🔑"


def a_workbook(text="the secret is out"):
    workbook = openpyxl.Workbook()
    workbook.active["A1"] = text
    buffer = io.BytesIO()
    workbook.save(buffer)
    return buffer.getvalue()


def agile(data, password):
    """Locked as Office 2010 and later do it."""
    locked = io.BytesIO()
    OOXMLFile(io.BytesIO(data)).encrypt(password, locked)
    return locked.getvalue()


CONTENT = (
    b'<?xml version="1.0" encoding="UTF-8"?><office:document-content xmlns:office="urn:oasis:names:tc:opendocument:'
    b'xmlns:office:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" office:version="1.2"><office:body>'
    b"<office:text><text:p>the secret is out</text:p></office:text></office:body></office:document-content>"
)

ODF = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"


def aes_cbc(deflated, key):
    padding = 16 - len(deflated) % 16
    vector = bytes(range(16))
    return AES.new(key, AES.MODE_CBC, vector).encrypt(deflated + b"\0" * (padding - 1) + bytes([padding])), vector


def blowfish_cfb(deflated, key):
    vector = bytes(range(8))
    return Blowfish.new(key, Blowfish.MODE_CFB, vector, segment_size=64).encrypt(deflated), vector


KINDS = {
    "aes": (aes_cbc, "http://www.w3.org/2001/04/xmlenc#aes256-cbc", "sha256", 32),
    "blowfish": (blowfish_cfb, "Blowfish CFB", "sha1", 16),
}


def locked_odt(password, kind, *, algorithm=None, derivation="PBKDF2"):
    """An OpenDocument text locked by hand, as ODF 1.2 part 3 says, with another library than the product's."""
    encrypt, name, digest, key_bytes = KINDS[kind]
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    deflated = deflater.compress(CONTENT) + deflater.flush()
    salt = b"0123456789abcdef"
    start = hashlib.new(digest, password.encode()).digest()
    key = hashlib.pbkdf2_hmac("sha1", start, salt, 1024, key_bytes)
    secret, vector = encrypt(deflated, key)
    checksum = hashlib.new(digest, deflated[:1024]).digest()
    names = {"sha256": (f"{ODF}#sha256-1k", "http://www.w3.org/2000/09/xmldsig#sha256"), "sha1": ("SHA1/1K", "SHA1")}
    checksum_type, start_name = names[digest]
    manifest = f"""<?xml version="1.0" encoding="UTF-8"?>
<manifest:manifest xmlns:manifest="{ODF}" manifest:version="1.2">
 <manifest:file-entry manifest:full-path="/" manifest:media-type="application/vnd.oasis.opendocument.text"/>
 <manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml" manifest:size="{len(CONTENT)}">
  <manifest:encryption-data manifest:checksum-type="{checksum_type}" manifest:checksum="{b64(checksum)}">
   <manifest:algorithm manifest:algorithm-name="{algorithm or name}" manifest:initialisation-vector="{b64(vector)}"/>
   <manifest:key-derivation manifest:key-derivation-name="{derivation}" manifest:key-size="{key_bytes}"
     manifest:iteration-count="1024" manifest:salt="{b64(salt)}"/>
   <manifest:start-key-generation manifest:start-key-generation-name="{start_name}"
     manifest:key-size="{len(start)}"/>
  </manifest:encryption-data>
 </manifest:file-entry>
</manifest:manifest>"""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as made:
        made.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        made.writestr("content.xml", secret)
        made.writestr("META-INF/manifest.xml", manifest)
    return package.getvalue()


def b64(data):
    return b64encode(data).decode()


def text_of(pdf):
    document = pypdfium2.PdfDocument(pdf)
    try:
        return "".join(page.get_textpage().get_text_bounded() for page in document)
    finally:
        document.close()


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_locked_workbook_is_opened_by_its_password(convert, engine):
    [pdf] = await convert(engine, agile(a_workbook(), PASSWORD), "xlsx", "pdf", password=PASSWORD)
    assert "the secret is out" in text_of(pdf)


@pytest.mark.parametrize("engine", ENGINES)
async def test_without_a_password_a_locked_workbook_asks_for_one(convert, engine):
    with pytest.raises(PasswordRequired):
        await convert(engine, agile(a_workbook(), PASSWORD), "xlsx", "pdf")


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_wrong_password_is_said_to_be_wrong(convert, engine):
    with pytest.raises(WrongPassword):
        await convert(engine, agile(a_workbook(), PASSWORD), "xlsx", "pdf", password="guess")


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_password_for_a_file_without_a_lock_does_no_harm(convert, engine):
    [pdf] = await convert(engine, a_workbook(), "xlsx", "pdf", password="needless")
    assert "the secret is out" in text_of(pdf)


@pytest.mark.parametrize("engine", ENGINES)
async def test_the_password_that_excel_gives_to_everyone_needs_not_be_given(convert, engine):
    [pdf] = await convert(engine, agile(a_workbook(), "VelvetSweatshop"), "xlsx", "pdf")
    assert "the secret is out" in text_of(pdf)


@pytest.mark.engine("libreoffice")
@pytest.mark.parametrize("kind", KINDS)
async def test_a_locked_opendocument_text_is_opened_by_its_password(convert, kind):
    [txt] = await convert(LibreOffice(), locked_odt(PASSWORD, kind), "odt", "txt", password=PASSWORD)
    assert txt.read_text(encoding="utf-8") == "the secret is out\n"
    with pytest.raises(PasswordRequired):
        await convert(LibreOffice(), locked_odt(PASSWORD, kind), "odt", "txt")
    with pytest.raises(WrongPassword):
        await convert(LibreOffice(), locked_odt(PASSWORD, kind), "odt", "txt", password="guess")


@pytest.mark.engine("libreoffice")
@pytest.mark.parametrize("unknown", [{"algorithm": "rot13"}, {"derivation": "argon2id"}])
async def test_a_kind_of_lock_that_is_not_known_is_not_called_a_wrong_password(convert, unknown):
    with pytest.raises(UnsupportedFormat):
        await convert(LibreOffice(), locked_odt(PASSWORD, "aes", **unknown), "odt", "txt", password=PASSWORD)


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_locked_file_that_is_cut_off_is_damaged_or_still_locked_but_never_converted(convert, engine):
    whole = agile(a_workbook(), PASSWORD)
    for share in (0.1, 0.5, 0.9):
        with pytest.raises((CorruptInput, PasswordRequired, WrongPassword)):
            await convert(engine, whole[: int(len(whole) * share)], "xlsx", "pdf", password=PASSWORD)


@pytest.mark.requirement("S32", "S35")
@pytest.mark.engine("libreoffice")
async def test_the_password_stands_in_no_argument_list(convert, sandbox, cold_office, monkeypatch):
    seen = []
    run = type(sandbox).run

    async def watched(self, program, **more):
        seen.append(program)
        return await run(self, program, **more)

    monkeypatch.setattr(type(sandbox), "run", watched)
    await convert(LibreOffice(), agile(a_workbook(), PASSWORD), "xlsx", "pdf", password=PASSWORD)
    commands = [program for program in seen if isinstance(program, Command)]
    assert commands
    assert not any(PASSWORD in argument for program in commands for argument in (*program.argv, *program.env.values()))
