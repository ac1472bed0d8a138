"""HTTP with real clients, with one that behaves as GRUB, and with clients that do not behave."""

import concurrent.futures
import email
import hashlib
import os
import random
import re
import selectors
import socket
import time

import captures
import daemon
import grub_tcp
import lab

PROGRAM = os.environ.get("POMONA_HTTP_ONLY", "build/dev/tests/support/http_only")
SERVER, CLIENT = "10.0.1.11", "10.0.1.12"
GIGABYTE = 1 << 30


def octets(size):
    return random.Random(size).randbytes(size)


def digest(data):
    return hashlib.sha256(data).hexdigest()


class HttpCase(lab.LabTestCase):
    """A server alone with a root folder, and a client, on one LAN."""

    def setUp(self):
        super().setUp()
        self.lan = self.lab.lan()
        self.host = self.lab.namespace("server")
        self.client = self.lab.namespace("client")
        self.lan.join(self.host, "eth0", f"{SERVER}/24")
        self.lan.join(self.client, "eth0", f"{CLIENT}/24")
        self.root = self.lab.path("root", "x").parent
        self.out = self.lab.path("out", "x").parent
        self.server = None

    def file(self, name, content):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return content

    def start(self, *arguments):
        self.server = self.host.start(os.path.abspath(PROGRAM), "--root", self.root, *arguments, name="http")
        self.server.wait_for("^ready")

    def stop(self):
        """Ends the server in an orderly way; returns its counters."""
        self.assertEqual(self.server.stop(), 0, self.server.output[-4000:])
        for word in ("AddressSanitizer", "LeakSanitizer", "ThreadSanitizer", "runtime error:"):
            self.assertNotIn(word, self.server.output)
        line = self.server.wait_for("^counters")
        return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", line)}

    def curl(self, path, *flags):
        """(status, headers, body) of one request."""
        done = self.client.run("curl", "-sS", "--path-as-is", "-D", self.out / "head", "-o", self.out / "body", *flags,
                               f"http://{SERVER}{path}")
        head = (self.out / "head").read_bytes().decode("latin-1").split("\r\n\r\n")[-2]
        status, _, fields = head.partition("\r\n")
        # With --head curl writes the headers there, and behind them what nobody asked for.
        body = (self.out / "body").read_bytes() if (self.out / "body").exists() else b""
        body = body.partition(b"\r\n\r\n")[2] if "--head" in flags else body
        (self.out / "body").unlink(missing_ok=True)
        self.assertTrue(status.startswith("HTTP/1.1 "), done.stderr)
        return int(status.split()[1]), email.message_from_string(fields), body

    def connect(self, timeout=10, receive_buffer=None):
        with self.client.entered():
            connection = socket.socket()
        self.addCleanup(connection.close)
        connection.settimeout(timeout * lab.PATIENCE)
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.connect((SERVER, 80))
        return connection

    def ask(self, text, **more):
        """Everything that comes until the server ends the connection."""
        connection = self.connect(**more)
        connection.sendall(text)
        return self.rest(connection)

    @staticmethod
    def rest(connection):
        got = b""
        while True:
            part = connection.recv(1 << 20)
            if not part:
                return got
            got += part


class Clients(HttpCase):
    def test_curl_gets_files_whole(self):
        files = {f"file-{size}": self.file(f"file-{size}", octets(size)) for size in (0, 1, 1000, 65536, 5_000_000)}
        self.start()
        for name, content in files.items():
            status, head, body = self.curl(f"/{name}")
            self.assertEqual((status, digest(body)), (200, digest(content)), name)
            self.assertEqual(head["Content-Length"], str(len(content)))
            status, head, body = self.curl(f"/{name}", "--head")
            self.assertEqual((status, head["Content-Length"], body), (200, str(len(content)), b""))
        counters = self.stop()
        self.assertEqual((counters["completed"], counters["failed"], counters["running"]), (10, 0, 0))

    def test_headers_are_written_as_grub_reads_them(self):
        self.file("boot.cfg", b"set timeout=1\n")
        self.start()
        answer = self.ask(b"GET /boot.cfg HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer)
        self.assertIn(b"\r\nContent-Length: 14\r\n", answer)
        self.assertTrue(answer.endswith(b"\r\n\r\nset timeout=1\n"), answer)
        self.assertNotIn(b"\n", answer.split(b"\r\n\r\n")[0].replace(b"\r\n", b""))

    def test_wget_keeps_one_connection(self):
        for name in ("one", "two", "three"):
            self.file(name, octets(50_000 + len(name)))
        self.start()
        self.client.run("wget", "-q", "-P", self.out, *(f"http://{SERVER}/{name}" for name in ("one", "two", "three")))
        for name in ("one", "two", "three"):
            self.assertEqual((self.out / name).read_bytes(), (self.root / name).read_bytes())
        self.server.wait_for("target=/three")
        self.assertEqual(self.stop()["accepted"], 1)

    def test_wget_continues_a_download(self):
        content = self.file("file", octets(3_000_000))
        self.start()
        (self.out / "file").write_bytes(content[:1_000_000])
        self.client.run("wget", "-q", "-c", "-P", self.out, f"http://{SERVER}/file")
        self.assertEqual(digest((self.out / "file").read_bytes()), digest(content))
        self.server.wait_for(r"status=206 .*range=bytes=1000000- size=2000000 bytes=2000000")

    def test_aria2_gets_parts_at_once(self):
        content = self.file("System.dmg", octets(40_000_000))
        self.start()
        self.client.run("aria2c", "-q", "--no-conf", "-x8", "-s8", "-k1M", "--file-allocation=none", "-d", self.out,
                        f"http://{SERVER}/System.dmg")
        self.assertEqual(digest((self.out / "System.dmg").read_bytes()), digest(content))
        self.assertGreaterEqual(self.stop()["accepted"], 8)

    def test_ranges(self):
        content = self.file("file.dmg", octets(1_000_000))
        self.start()
        for header, first, last in (("0-99", 0, 99), ("999900-", 999900, 999999), ("-1", 999999, 999999),
                                    ("500000-2000000", 500000, 999999), ("0-99,50-149", 0, 149)):
            with self.subTest(header):
                status, head, body = self.curl("/file.dmg", "-r", header)
                self.assertEqual((status, body), (206, content[first:last + 1]))
                self.assertEqual(head["Content-Range"], f"bytes {first}-{last}/1000000")
                self.assertEqual(head["Content-Type"], "application/x-apple-diskimage")
        status, head, body = self.curl("/file.dmg", "-r", "1000000-")
        self.assertEqual((status, head["Content-Range"], body), (416, "bytes */1000000", b""))
        self.assertEqual(self.curl("/file.dmg", "-H", "Range: bytes=9-3")[0], 200)

    def test_several_ranges_in_one_answer(self):
        content = self.file("file.efi", octets(300_000))
        self.start()
        status, head, body = self.curl("/file.efi", "-r", "0-9,100000-250000,-5")
        self.assertEqual(status, 206)
        # Read by somebody else's eyes: what a mail of several parts looks like.
        message = email.message_from_bytes(f"Content-Type: {head['Content-Type']}\r\n\r\n".encode() + body)
        parts = message.get_payload()
        self.assertEqual([part["Content-Range"] for part in parts],
                         ["bytes 0-9/300000", "bytes 100000-250000/300000", "bytes 299995-299999/300000"])
        boundary = re.search("boundary=(.*)", head["Content-Type"])[1].encode()
        bodies = [part.split(b"\r\n\r\n", 1)[1] for part in body.split(b"\r\n--" + boundary)[1:-1]]
        self.assertEqual(bodies, [content[0:10], content[100000:250001], content[-5:]])

    def test_conditions(self):
        content = self.file("file", octets(10_000))
        self.start()
        _, head, _ = self.curl("/file")
        for condition in (head["ETag"], head["Last-Modified"]):
            status, _, body = self.curl("/file", "-r", "5-9", "-H", f"If-Range: {condition}")
            self.assertEqual((status, body), (206, content[5:10]), condition)
        self.assertEqual(self.curl("/file", "-H", f"If-None-Match: {head['ETag']}")[::2], (304, b""))
        self.assertEqual(self.curl("/file", "-H", f"If-Modified-Since: {head['Last-Modified']}")[::2], (304, b""))
        # The same size, and another time.
        self.file("file", octets(10_000)[::-1])
        os.utime(self.root / "file", (1e9, 1e9))
        self.assertEqual(self.curl("/file", "-r", "5-9", "-H", f"If-Range: {head['ETag']}")[0], 200)
        self.assertEqual(self.curl("/file", "-H", f"If-None-Match: {head['ETag']}")[0], 200)

    def test_offsets_of_many_gigabytes(self):
        path = self.root / "InstallESD.dmg"
        with open(path, "wb") as file:
            file.truncate(6 * GIGABYTE)
            file.seek(5 * GIGABYTE)
            file.write(b"far behind")
        self.start()
        at = 5 * GIGABYTE
        self.assertEqual(self.curl("/InstallESD.dmg", "-r", f"{at}-{at + 9}")[2], b"far behind")
        self.assertEqual(self.curl("/InstallESD.dmg", "-r", f"0-0,{at}-{at + 9}")[2].count(b"far behind"), 1)
        status, head, _ = self.curl("/InstallESD.dmg", "--head")
        self.assertEqual((status, head["Content-Length"]), (200, str(6 * GIGABYTE)))
        status, _, body = self.curl("/InstallESD.dmg", "-r", f"{at - (32 << 20)}-{at + 9}")
        self.assertEqual((status, len(body), body[-10:]), (206, (32 << 20) + 10, b"far behind"))

    def test_a_loader_knows_the_server_that_it_was_asked_of(self):
        self.file("grub.efi", b"MZ" + b"." * 100_000 + b"'@@POMONA-SERVER@@'")
        self.start()
        for flags, first in (((), 0), (("-r", "5-"), 5)):
            body = self.curl("/grub.efi", *flags)[2]
            self.assertEqual(len(body), 100_021 - first)
            self.assertTrue(body.endswith(b".'" + SERVER.ljust(17).encode() + b"'"), body[-40:])

    def test_colons_of_a_mac_may_be_encoded(self):
        content = self.file("bootdirectory/52:54:00:12:34:01.gpxe", b"#!gpxe\n")
        self.file("My Image.nbi/i386/booter", b"x")
        self.start()
        for path in ("/bootdirectory/52%3A54%3A00%3A12%3A34%3A01.gpxe", "/bootdirectory/52:54:00:12:34:01.gpxe",
                     "//bootdirectory//52%3a54:00:12:34:01.gpxe?from=gpxe"):
            self.assertEqual(self.curl(path)[::2], (200, content))
        self.assertEqual(self.curl("/My%20Image.nbi/i386/booter")[0], 200)


class Refusals(HttpCase):
    def test_an_unknown_path_has_an_empty_answer_and_a_line(self):
        self.start()
        status, head, body = self.curl("/grub/grub.cfg-01-52-54-00-12-34-01")
        self.assertEqual((status, head["Content-Length"], body), (404, "0", b""))
        line = self.server.wait_for("end=refused status=404")
        self.assertIn(f"name={self.root}/grub/grub.cfg-01-52-54-00-12-34-01 ", line)
        self.assertIn(f"client={CLIENT}:", line)

    def test_no_way_leads_out(self):
        secret = self.lab.path("secret")
        secret.write_bytes(b"secret")
        self.file("folder/file", b"x")
        (self.root / "link").symlink_to("../secret")
        (self.root / "out").symlink_to("..")
        self.start()
        for path in ("/../secret", "/%2e%2e/secret", "/..%2fsecret", "/folder/../../secret", "/folder/%2E./../secret",
                     "/%2e%2e%5csecret", "/..\\secret", "//../secret", "/./../secret", "/link", "/out/secret",
                     f"/{secret}", f"/%2f{secret}", "/folder/%00/../../secret", "/..%00/secret", "/%252e%252e/secret",
                     "/folder", "/", "/%", "/%zz", "http://10.0.1.11/../secret", "*", "secret"):
            answer = self.ask(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            self.assertRegex(answer, rb"^HTTP/1.1 (400|403|404) ", path)
            self.assertNotIn(b"secret", answer, path)
        self.assertEqual(self.curl("/folder/file")[0], 200)

    def test_only_reading(self):
        self.file("file", b"x")
        self.start()
        for method in ("PUT", "POST", "DELETE", "OPTIONS", "BREW"):
            status, head, body = self.curl("/file", "-X", method, "-d", "y" * 100_000)
            self.assertEqual((status, head["Allow"], body), (405, "GET, HEAD", b""), method)
        self.assertEqual((self.root / "file").read_bytes(), b"x")
        self.assertEqual(self.curl("/file")[0], 200)

    def test_requests_that_are_too_large_or_none(self):
        content = self.file("file", b"x")
        self.start()
        for text in (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                     b"GET /file HTTP/1.1\r\nHost: x\r\nCookie: " + b"a" * 100_000 + b"\r\n\r\n"):
            self.assertRegex(self.ask(text), rb"^HTTP/1.1 4\d\d ")
        dice = random.Random(7)
        for _ in range(200):
            connection = self.connect()
            connection.sendall(dice.randbytes(dice.randrange(1, 2000)) + b"\r\n\r\n")
            connection.close()
        self.server.wait_for("end=malformed")
        self.assertEqual(self.curl("/file")[2], content)
        counters = self.stop()
        self.assertEqual((counters["running"], counters["connections"]), (0, 0))


class Endings(HttpCase):
    """How connections end: GRUB, simple clients, clients that vanish."""

    def grub(self):
        grub_tcp.silence_the_kernel(self.client)
        grub = grub_tcp.GrubTcp(self.client, CLIENT, SERVER)
        self.addCleanup(grub.close_socket)
        return grub

    def test_grub_comes_again_from_the_same_port_at_once(self):
        content = self.file("vmlinuz", octets(300_000))
        self.start()
        capture = captures.Capture(self.client, "eth0", expression="tcp")
        # The kernel would hand several segments as one over a cable that is none.
        self.host.ip("link", "set", "eth0", "gso_max_segs", "1")
        grub = self.grub()
        # Each start of GRUB begins at the same port; its numbers follow a clock and may lie before the last ones.
        for sequence in (500_000_000, 400_000_000, 600_000_000):
            self.assertTrue(grub.connect(sequence=sequence), "the server does not take the connection")
            self.assertEqual(digest(grub.fetch("/vmlinuz")[1]), digest(content))
            grub.finish()
            self.assertEqual(grub.ending(), "reset")
        # No MSS in its SYN means segments of 536 octets.
        self.assertEqual(grub.biggest, 536)
        recorded = capture.stop()
        resets = captures.frames(recorded, f"ip.src == {SERVER} && tcp.flags.reset == 1 && tcp.dstport == 21550")
        finishes = captures.frames(recorded, f"ip.src == {SERVER} && tcp.flags.fin == 1")
        self.assertEqual((len(resets), len(finishes)), (3, 0))
        self.assertEqual(self.stop()["completed"], 3)

    def test_grub_closes_in_the_middle_of_a_file(self):
        self.file("initrd", octets(20_000_000))
        self.start()
        grub = self.grub()
        self.assertTrue(grub.connect())
        grub.request("/initrd")
        self.assertGreater(len(grub.read(100_000)), 99_999)
        grub.finish()
        self.assertEqual(grub.ending(), "reset")
        line = self.server.wait_for("end=client-closed")
        told = int(re.search(r"bytes=(\d+)", line)[1])
        self.assertGreater(told, 99_000)
        self.assertLess(told, 150_000)
        self.assertTrue(grub.connect(sequence=7000))
        self.assertEqual(grub.fetch("/nothing")[1], b"")

    def test_a_machine_that_is_switched_off_frees_its_port(self):
        self.file("file", octets(5000))
        self.start("--next-request", "300")
        grub = self.grub()
        self.assertTrue(grub.connect())
        self.assertEqual(len(grub.fetch("/file")[1]), 5000)
        # No FIN, no answer from now on: first the server says FIN, and then it gives up.
        self.assertEqual(grub.ending(4), "finish")
        self.assertEqual(grub.ending(5, beyond_finish=True), "reset")
        self.assertTrue(grub.connect(sequence=77))

    def test_an_old_client_gets_every_octet_and_then_the_end(self):
        content = self.file("file", octets(8_000_000))
        self.start()
        capture = captures.Capture(self.client, "eth0", expression="tcp[tcpflags] & (tcp-fin|tcp-rst) != 0")
        for request in (b"GET /file HTTP/1.0\r\n\r\n", b"GET /file HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"):
            connection = self.connect(receive_buffer=8192)
            connection.sendall(request)
            # The whole rest lies in the server's kernel when its program is done with it.
            body = self.rest(connection).split(b"\r\n\r\n", 1)[1]
            self.assertEqual(digest(body), digest(content))
            connection.close()
        self.server.wait_for("bytes=8000000")
        recorded = capture.stop()
        self.assertEqual(captures.frames(recorded, f"ip.src == {SERVER} && tcp.flags.reset == 1"), [])
        self.assertEqual(self.stop()["failed"], 0)

    def test_a_client_that_finishes_first_and_reads_on_gets_every_octet(self):
        content = self.file("file", octets(8_000_000))
        self.start()
        connection = self.connect(receive_buffer=8192)
        connection.sendall(b"GET /file HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        self.assertEqual(digest(self.rest(connection).split(b"\r\n\r\n", 1)[1]), digest(content))

    def test_a_refusal_arrives_although_the_client_still_sends(self):
        self.start()
        connection = self.connect()
        connection.sendall(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n" + b"y" * 3_000_000)
        self.assertTrue(self.rest(connection).startswith(b"HTTP/1.1 405 "))

    def test_a_client_that_reads_nothing_is_cut(self):
        self.file("large", octets(30_000_000))
        self.file("small", b"x")
        self.start("--progress", "1500", "--sign-of-life", "60000")
        connection = self.connect()
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual(self.curl("/small")[0], 200)
        line = self.server.wait_for("end=too-slow.*target=/large")
        self.assertRegex(line, r"size=30000000 bytes=[1-9]\d{4,6} ")
        with self.assertRaises(ConnectionResetError):
            self.rest(connection)

    def test_a_slow_reader_is_not_cut(self):
        content = self.file("file", octets(400_000))
        self.start("--progress", "1500", "--sign-of-life", "1500")
        connection = self.connect(receive_buffer=4096)
        connection.sendall(b"GET /file HTTP/1.0\r\n\r\n")
        began = time.monotonic()
        got = b""
        while True:
            part = connection.recv(4096)
            if not part:
                break
            got += part
            time.sleep(0.03)  # the slowness under test
        self.assertGreater(time.monotonic() - began, 2)
        self.assertEqual(digest(got.split(b"\r\n\r\n", 1)[1]), digest(content))

    def test_a_client_that_vanishes_is_given_up(self):
        self.file("large", octets(30_000_000))
        self.start("--progress", "60000", "--sign-of-life", "1000")
        connection = self.connect()
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertTrue(connection.recv(1000))
        self.client.ip("link", "set", "eth0", "down")
        self.assertNotIn(" bytes=0 ", self.server.wait_for("end=client-gone.*target=/large"))
        self.assertEqual(self.stop()["connections"], 0)

    def test_a_request_that_never_ends_is_given_up(self):
        self.file("file", b"x")
        self.start("--first-request", "700", "--next-request", "700")
        whole = b"GET /file HTTP/1.1\r\nHost: x\r\n\r\n"
        for before, beginning in ((b"", b"GET /"), (b"", b"GET /file HTTP/1.1\r\nCookie: "),
                                  (whole, b"GET /file HTTP/1.1\r\nCookie: ")):
            connection = self.connect()
            after = self.server.mark()
            if before:
                connection.sendall(before)
                self.assertTrue(connection.recv(1000))
            connection.sendall(beginning)
            began = time.monotonic()

            def trickle():
                try:
                    connection.sendall(b"a")
                    connection.settimeout(0.05)
                    return not connection.recv(100)
                except TimeoutError:
                    return False
                except OSError:
                    return True
            lab.eventually(trickle, f"the server to end {beginning}", 5, pause=0.05)
            self.assertGreater(time.monotonic() - began, 0.6)
            self.server.wait_for("end=too-slow", after=after)

    def test_the_end_of_the_server_cuts_what_runs(self):
        self.file("large", octets(30_000_000))
        self.start()
        connection = self.connect()
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertTrue(connection.recv(1000))
        counters = self.stop()
        self.assertEqual((counters["failed"], counters["running"], counters["connections"]), (1, 0, 0))
        self.server.wait_for("end=server-stopped.*target=/large")


class Crowds(HttpCase):
    def load(self, count, path, size):
        """So many clients at once; how many got the whole file, and how many were told to wait."""
        request = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        chooser = selectors.DefaultSelector()
        self.addCleanup(chooser.close)
        got = {}
        with self.client.entered():
            for _ in range(count):
                connection = socket.socket()
                connection.settimeout(20 * lab.PATIENCE)
                connection.connect((SERVER, 80))
                got[connection] = bytearray()
        for connection in got:
            connection.sendall(request)
            connection.setblocking(False)
            chooser.register(connection, selectors.EVENT_READ)
        open_ones = set(got)
        while open_ones:
            ready = chooser.select(20 * lab.PATIENCE)
            self.assertTrue(ready, f"{len(open_ones)} of {count} clients wait in vain")
            for key, _ in ready:
                part = key.fileobj.recv(1 << 18)
                got[key.fileobj] += part
                if not part:
                    chooser.unregister(key.fileobj)
                    key.fileobj.close()
                    open_ones.discard(key.fileobj)
        whole = sum(1 for answer in got.values()
                    if answer.startswith(b"HTTP/1.1 200 ") and len(answer.split(b"\r\n\r\n", 1)[1]) == size)
        waiting = sum(1 for answer in got.values() if answer.startswith(b"HTTP/1.1 503 "))
        return whole, waiting

    def test_three_hundred_at_once(self):
        self.file("file", octets(200_000))
        self.start("--max-per-client", "300")
        self.assertEqual(self.load(300, "/file", 200_000), (300, 0))
        counters = self.stop()
        self.assertEqual((counters["completed"], counters["connections"]), (300, 0))

    def test_limits_are_told(self):
        self.file("file", octets(100))
        self.start("--max-connections", "100", "--max-per-client", "40")
        whole, waiting = self.load(60, "/file", 100)
        self.assertEqual((whole, waiting), (40, 20))
        self.server.wait_for("end=too-many-connections status=503")
        lab.eventually(lambda: self.curl("/file")[0] == 200, "room for another one")
        self.stop()
        self.start("--max-connections", "50", "--max-per-client", "1000")
        # Beyond some that are told so the rest waits for its turn.
        whole, waiting = self.load(400, "/file", 100)
        self.assertEqual(whole + waiting, 400)
        self.assertGreaterEqual(whole, 50)

    def test_large_and_small_at_once(self):
        large = self.file("large", octets(20_000_000))
        self.file("small", octets(2000))
        self.start()
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            def fetch(number):
                target = self.out / f"large-{number}"
                self.client.run("curl", "-sS", "-o", target, f"http://{SERVER}/large")
                return digest(target.read_bytes())
            running = [pool.submit(fetch, number) for number in range(10)]
            began = time.monotonic()
            for _ in range(20):
                self.assertEqual(self.curl("/small")[0], 200)
            self.assertLess(time.monotonic() - began, 20 * lab.PATIENCE)
            self.assertEqual({job.result() for job in running}, {digest(large)})


class InTheDaemon(daemon.ServerTestCase):
    def fetch(self, client, path, server=SERVER, port=80):
        done = client.run("curl", "-sS", "-w", "%{http_code}", "-o", self.lab.path("body"),
                          f"http://{server}:{port}{path}", check=False)
        return done.stdout, self.lab.path("body").read_bytes() if self.lab.path("body").exists() else b""

    def visitor(self):
        client = self.lab.namespace("client")
        self.lan.join(client, "eth0", f"{CLIENT}/24")
        return client

    def test_images_by_the_paths_of_apple_and_by_those_of_tftp(self):
        images = daemon.Images(self.lab)
        images.add("My Image", 4097, IsDefault=True)
        server = self.serve(images=images)
        client = self.visitor()
        for path in ("/NetBoot/NetBootSP0/My%20Image.nbi/i386/booter", "/nbi/NetBootSP0/My%20Image.nbi/i386/booter"):
            self.assertEqual(self.fetch(client, path), ("200", images.booter("My Image").read_bytes()))
        line = server.process.wait_for("http .*path=.?/NetBoot/NetBootSP0")
        self.assertIn(str(images.booter("My Image")), line)
        self.assertRegex(line, r"end=completed.* status=200.* bytes=60000.* agent=.?curl/")
        self.assertEqual(self.fetch(client, "/nbi/NetBootSP0/none")[0], "404")
        self.assertRegex(server.process.wait_for("http .*end=refused"), f"{images.path}/none")

    def test_serving_goes_on_without_http_and_says_who_has_the_port(self):
        server = daemon.serve(self, self.lan)
        other = server.namespace.start("python3", "-u", "-m", "http.server", "--bind", "0.0.0.0", "80", name="other")
        other.wait_for("Serving HTTP")
        checked = server.command("check", *server.arguments[:2], check=False).stdout
        self.assertRegex(checked, rf"warning +TCP port 80: python3\S* \(pid {other.pid}\) has it")
        server.start()
        line = server.process.wait_for("http-not-served")
        self.assertRegex(line, rf"error.*port 80.*python3\S* \(pid {other.pid}\) has it")
        client = self.visitor()
        client.run("curl", "-sS", "-o", self.lab.path("body"), f"tftp://{SERVER}/nbi/NetBootSP0/grub.nbi/i386/booter")
        self.assertEqual(self.lab.path("body").read_bytes(), server.images.booter("grub").read_bytes())

    def test_another_port_or_address_beside_another_server(self):
        server = daemon.serve(self, self.lan, address=(f"{SERVER}/24", "10.0.1.13/24"))
        other = server.namespace.start("python3", "-u", "-m", "http.server", "--bind", SERVER, "80", name="other")
        other.wait_for("Serving HTTP")
        server.arguments += ["--http-address", "10.0.1.13"]
        server.start()
        client = self.visitor()
        path = "/nbi/NetBootSP0/grub.nbi/i386/booter"
        self.assertEqual(self.fetch(client, path, "10.0.1.13")[0], "200")
        server.stop()
        server.arguments[-2:] = ["--http-port", "8080"]
        server.start()
        self.assertEqual(self.fetch(client, path, port=8080)[0], "200")
        server.stop()
        server.arguments += ["--http", "off"]
        server.start()
        server.process.wait_for("http-not-served.*flag --http")
        self.assertEqual(self.fetch(client, path, port=8080)[0], "000")


if __name__ == "__main__":
    lab.main()
