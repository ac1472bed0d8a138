"""The daemon as a service: how it starts and refuses to, what it logs, how it ends."""

import collections
import json
import os
import pwd
import re
import signal
import sqlite3
import struct
import subprocess
import time

import bsdp
import captures
import daemon
import lab
import virtual_mac

USER = "nobody"


class ServiceCase(daemon.ServerTestCase):
    def host(self):
        host = self.lab.namespace("server")
        self.lan.join(host, "eth0", "10.0.1.11/24")
        return host

    def pomona(self, host, name="pomona", without=(), **more):
        """A server that is not started; `without` are settings that the usual scene gives."""
        images = daemon.Images(self.lab)
        if not images.booter("grub").exists():
            images.add("grub", daemon.GRUB_INDEX, IsDefault=True)
        server = daemon.Pomona(host, "eth0", images=images, name=name, **more)
        for setting in without:
            at = server.arguments.index(f"--{setting}")
            del server.arguments[at:at + 2]
        self.addCleanup(lambda: server.process and server.process.running and server.stop())
        return server


class StartTest(ServiceCase):
    def test_one_line_says_what_is_missing(self):
        host = self.host()
        host.ip("link", "add", "down0", "type", "veth", "peer", "name", "down1")
        closed = self.lab.path("closed", "x").parent
        closed.chmod(0o755)
        self.lab.path("file").touch()
        gone = self.lab.folder / "not" / "there"
        Case = collections.namedtuple("Case", "setting value what remedy user", defaults=("",))
        for number, case in enumerate((
                Case("state-dir", gone, "cannot be made", "install -d"),
                Case("state-dir", self.lab.path("file"), "is no folder", "name a folder"),
                Case("control-socket", gone / "control", "cannot be made", "install -d"),
                Case("control-socket", closed / "control", "Permission denied", "let the daemon's user write", USER),
                Case("user", "nobody-of-that-name", "no user", "useradd"),
                Case("image-root", f"Gone={gone}", "cannot be read", "make it"),
                Case("tftp-root", gone, "cannot be read", "make it"),
                Case("interface", "eth9", "no such interface", "ip link"),
                Case("interface", "down0", "is down", "ip link set down0 up, and look at the cable"),
        )):
            with self.subTest(case.setting, what=case.what):
                replaced = [case.setting] if case.setting not in ("tftp-root",) else []
                server = self.pomona(host, f"p{number}", replaced, user=case.user)
                server.arguments += [f"--{case.setting}", str(case.value)]
                code, said = server.refused()
                lines = [line for line in said.splitlines() if line.startswith("pomona: ")]
                self.assertEqual((code, len(lines)), (1, 1), said)
                self.assertTrue(lines[0].startswith(f"pomona: {case.setting} (flag --{case.setting}): "), lines[0])
                self.assertIn(case.what, lines[0])
                self.assertIn(case.remedy, lines[0])
                self.assertNotRegex(said, r"\bserving\b")

    def test_the_source_may_be_a_line_of_a_file_or_a_variable(self):
        host = self.host()
        settings = self.lab.path("my.conf")
        settings.write_text("# mine\ninterface = eth7\n", encoding="ascii")
        server = self.pomona(host, "by-file", ["interface"])
        server.arguments += ["--config", str(settings)]
        self.assertIn(f"pomona: interface ({settings} line 2): eth7: ", server.refused()[1])
        server = self.pomona(host, "by-variable", ["interface"])
        server.environment["POMONA_INTERFACE"] = "eth8"
        self.assertIn("pomona: interface (variable POMONA_INTERFACE): eth8: ", server.refused()[1])

    def test_a_refused_start_leaves_nothing_behind(self):
        server = self.pomona(self.host())
        server.arguments += ["--interface", "eth9"]
        self.assertEqual(server.refused()[0], 1)
        self.assertFalse(server.control.exists())
        server.arguments = server.arguments[:-2]
        server.start()
        virtual_mac.new(self.lab, self.lan).list()

    def test_folders_that_are_missing_are_made_for_the_user(self):
        server = self.pomona(self.host(), user=USER, without=("state-dir", "control-socket"))
        state, run = self.lab.path("made-state"), self.lab.path("made-run")
        server.arguments += ["--state-dir", str(state), "--control-socket", str(run / "control")]
        server.start()
        for folder in (state, run):
            self.assertEqual(folder.owner(), USER)
        self.assertTrue((state / "clients.db").exists())

    def test_an_unwritable_state_folder_is_loud_and_no_reason_not_to_serve(self):
        server = self.pomona(self.host(), user=USER, without=("state-dir",))
        closed = self.lab.path("closed", "x").parent
        closed.chmod(0o755)
        server.arguments += ["--state-dir", str(closed)]
        server.start()
        server.process.wait_for(r"error store .*clients\.db.*until the server ends")
        mac = virtual_mac.new(self.lab, self.lan)
        self.assertEqual(mac.select("10.0.1.11", mac.list().default).selected, mac.list().default)

    def test_two_ambient_capabilities_are_enough(self):
        """As under systemd: the process never was root."""
        server = self.pomona(self.host())
        capabilities = "-all,+net_raw,+net_bind_service"
        server.process = server.namespace.start(
            "setpriv", "--reuid", USER, "--regid", str(pwd.getpwnam(USER).pw_gid), "--clear-groups", "--inh-caps",
            capabilities, "--ambient-caps", capabilities, daemon.PROGRAM, "serve", *server.arguments,
            env=server.environment)
        server.process.wait_for(r"\bserving\b")
        self.assertEqual(server.process.count(r"(?i) (warn|error) "), 0, server.process.output)
        mac = virtual_mac.new(self.lab, self.lan)
        chosen = mac.select("10.0.1.11", mac.list().default)
        self.assertEqual(len(mac.download(chosen.siaddr, chosen.file)), 60_000)

    def test_the_service_manager_is_told(self):
        host = self.host()
        server = self.pomona(host)
        path = str(self.lab.path("notify"))
        with lab.socket.socket(lab.socket.AF_UNIX, lab.socket.SOCK_DGRAM) as manager:
            manager.bind(path)
            manager.settimeout(15 * lab.PATIENCE)
            server.environment["NOTIFY_SOCKET"] = path
            server.start()
            self.assertEqual(manager.recv(4096), b"READY=1")
            server.process.send_signal(signal.SIGHUP)
            self.assertRegex(manager.recv(4096).decode(), r"RELOADING=1\nMONOTONIC_USEC=\d+")
            self.assertEqual(manager.recv(4096), b"READY=1")
            server.stop()
            self.assertEqual(manager.recv(4096), b"STOPPING=1")

    def test_old_machines_are_forgotten_at_the_start(self):
        server = self.pomona(self.host()).start()
        image = virtual_mac.new(self.lab, self.lan).list().default
        for mac in ("40:6c:8f:00:00:01", "40:6c:8f:00:00:02", "40:6c:8f:00:00:03"):
            virtual_mac.new(self.lab, self.lan, mac[-1], f"10.0.1.4{mac[-1]}/24", mac).select("10.0.1.11", image)
        server.command("machine", "select", "40:6c:8f:00:00:03", "grub.nbi")
        server.stop()
        with sqlite3.connect(server.state / "clients.db") as database:
            database.execute("UPDATE clients SET first_seen = 1, last_seen = 1, last_selected = 1 "
                             "WHERE mac <> '40:6c:8f:00:00:02'")
        database.close()
        server.start()
        self.assertIn("count=1", server.process.wait_for("machines-expired"))
        # The third was chosen by hand.
        self.assertEqual([each["mac"] for each in server.machines()], ["40:6c:8f:00:00:02", "40:6c:8f:00:00:03"])


class PortTest(ServiceCase):
    def test_hold_port_off_leaves_the_port_alone(self):
        server = self.pomona(self.host(), arguments=("--hold-port", "off")).start()
        mac = virtual_mac.new(self.lab, self.lan)
        capture = captures.Capture(mac.namespace, "en0")
        mac.list(to="10.0.1.11")
        self.assertNotIn(":67 ", server.namespace.run("ss", "-uln").stdout)
        # What the port is held for otherwise: the kernel knows of nobody there.
        self.assertNotEqual(captures.frames(capture.stop(), f"icmp.type == 3 && eth.src != {mac.mac}", "ip.src"), [])

    def test_two_servers_of_one_host_with_state_of_their_own(self):
        """Nobody should want it; but both serve on and the second one says what it could not have."""
        host = self.host()
        first = self.pomona(host, "first").start()
        second = self.pomona(host, "second").start()
        second.process.wait_for(r"error tftp-not-served .*port 69")
        mac = virtual_mac.new(self.lab, self.lan)
        self.assertEqual(len(mac.answers(mac.list_request(), seconds=5, enough=2)), 2)
        self.assertIn("warning  port 67: pomona", first.command("check", check=False).stdout)


    def test_one_state_folder_has_one_daemon(self):
        host = self.host()
        first = self.pomona(host, "first").start()
        second = self.pomona(host, "second", without=("state-dir",))
        second.arguments += ["--state-dir", str(first.state)]
        code, said = second.refused()
        self.assertEqual(code, 1, said)
        self.assertIn("pomona: state-dir (flag --state-dir): another pomona keeps its machines in", said)
        # Nor does a command that looks for the daemon in the wrong place write behind its back.
        done = host.run(daemon.PROGRAM, "machine", "list", "--state-dir", str(first.state), "--control-socket",
                        str(second.control), check=False, env=first.environment)
        self.assertEqual(done.returncode, 1)
        self.assertIn("name the control-socket of that daemon", done.stderr)
        first.stop()
        second.start()


class LogTest(ServiceCase):
    def test_json_lines(self):
        server = self.pomona(self.host(), arguments=("--log-format", "json")).start()
        mac = virtual_mac.new(self.lab, self.lan)
        chosen = mac.select("10.0.1.11", mac.list().default)
        mac.download(chosen.siaddr, chosen.file)
        mac.assert_silence(mac.list_request(vendor_class=b"AAPLBSDPC/\"\n\xff/x"))
        server.stop()
        events = [json.loads(line) for line in server.process.lines]
        for event in events:
            self.assertEqual(list(event)[:3], ["time", "level", "event"])
        answers = [event for event in events if event["event"] == "answer"]
        self.assertEqual((answers[1]["mac"], answers[1]["model"], answers[1]["message"], answers[1]["reply"]),
                         (mac.mac, "iMac12,1", "INFORM[SELECT]", "ACK[SELECT]"))
        [transfer] = [event for event in events if event["event"] == "tftp"]
        self.assertEqual((transfer["end"], transfer["bytes"], transfer["path"]), ("completed", 60_000, chosen.file))

    def test_a_missing_file_is_named_with_the_path_that_was_looked_for(self):
        server = self.pomona(self.host()).start()
        mac = virtual_mac.new(self.lab, self.lan)
        with self.assertRaises(virtual_mac.TftpError):
            mac.download("10.0.1.11", "nbi/NetBootSP0/grub.nbi/i386/nothing")
        line = server.process.wait_for("tftp .*end=not-found")
        self.assertIn(f"file={server.images.path}/grub.nbi/i386/nothing", line)

    def flood(self, what, count=2000):
        """Sends it and returns the server, which has seen all of it."""
        server = self.pomona(self.host()).start()
        mac = virtual_mac.new(self.lab, self.lan)
        mac.list()
        begun = time.monotonic()
        with mac.namespace.udp_socket(mac.address, 68) as endpoint:
            for number in range(count):
                endpoint.sendto(*what(mac, number))
                if number % 50 == 49:
                    time.sleep(0.005)
        # The next second tells of what was held back in the last.
        time.sleep(1.1)
        with mac.namespace.udp_socket(mac.address, 68) as endpoint:
            endpoint.sendto(*what(mac, count))
        server.process.wait_for("not-logged")
        lab.eventually(lambda: mac.answers(mac.list_request(), seconds=0.5, enough=1), "an answer after the flood")
        return server, time.monotonic() - begun

    def assert_bounded(self, server, seconds, event, count=2001):
        time.sleep(0.1)
        written = server.process.count(event)
        told = sum(int(found) for found in re.findall(r"not-logged count=(\d+)", server.process.output))
        self.assertLessEqual(written, 100 * (seconds + 2))
        self.assertLess(written, count / 2)
        self.assertEqual(written + told, count, server.process.output[-2000:])

    def test_a_flood_of_missing_files_is_counted_not_logged(self):
        server, seconds = self.flood(lambda mac, number: (struct.pack("!H", 1) + b"missing%d\0octet\0" % number,
                                                          ("10.0.1.11", 69)))
        self.assert_bounded(server, seconds, r" tftp .*end=not-found")

    def test_a_flood_of_wrong_requests_is_counted_not_logged(self):
        server, seconds = self.flood(lambda mac, number: (
            bsdp.inform_list(number, mac.mac, mac.address, version=b"\x02\x00"), ("255.255.255.255", 67)))
        self.assert_bounded(server, seconds, r" silence .*message=|silence interface")

    def test_nobody_reads_the_log(self):
        server = self.pomona(self.host())
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        process = subprocess.Popen(server.namespace.command(daemon.PROGRAM, "serve", *server.arguments), stderr=writer,
                                   stdin=subprocess.DEVNULL, env=server.environment)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        os.close(writer)
        mac = virtual_mac.new(self.lab, self.lan)
        lab.eventually(lambda: mac.answers(mac.list_request(), seconds=0.3, enough=1), "the first answer")
        # A pipe takes 64 KiB, which are some 300 lines.
        answered = sum(len(mac.answers(mac.list_request(), seconds=2 * lab.PATIENCE, enough=1)) for _ in range(600))
        self.assertGreaterEqual(answered, 598)
        begun = time.monotonic()
        process.terminate()
        self.assertEqual(process.wait(10 * lab.PATIENCE), 0)
        self.assertLess(time.monotonic() - begun, 2 * lab.PATIENCE)


class EndTest(ServiceCase):
    def test_running_transfers_are_told_and_the_end_is_quick(self):
        images = daemon.Images(self.lab, "large")
        images.add("grub", daemon.GRUB_INDEX, program=daemon.efi_program(3_000_000), IsDefault=True)
        server = daemon.serve(self, self.lan, images=images).start()
        mac = virtual_mac.new(self.lab, self.lan)
        path = mac.select("10.0.1.11", mac.list().default).file
        transfers = [virtual_mac.Download(mac, "10.0.1.11", path) for _ in range(20)]
        for transfer in transfers:
            self.addCleanup(transfer.endpoint.close)
            transfer.endpoint.settimeout(5)
            transfer.send()
            transfer.take(*transfer.endpoint.recvfrom(2000))
        begun = time.monotonic()
        server.stop()
        self.assertLess(time.monotonic() - begun, 2 * lab.PATIENCE)
        self.assertEqual(server.process.count(r" tftp .*end=server-stopped"), len(transfers))
        self.assertFalse(server.control.exists())
        for transfer in transfers:
            with self.assertRaisesRegex(virtual_mac.TftpError, "stopping"):
                while True:
                    transfer.take(*transfer.endpoint.recvfrom(2000))


class CheckTest(ServiceCase):
    def check(self, server, *arguments):
        done = server.namespace.run(daemon.PROGRAM, "check", *server.arguments, *arguments, check=False,
                                    env=server.environment)
        return done.returncode, done.stdout

    def test_a_sound_host(self):
        server = self.pomona(self.host())
        code, said = self.check(server)
        self.assertEqual(code, 0, said)
        self.assertTrue(said.endswith("\n0 errors, 0 warnings\n"), said)
        for line in ("ok       interface eth0: it is served (10.0.1.11/24)", "ok       port 67: it is free",
                     "ok       port 69: it is free", "ok       images: 1 of 1 image folders are published"):
            self.assertIn(line, said)
        server.start()
        virtual_mac.new(self.lab, self.lan).list()

    def test_a_broken_host_says_all_at_once_with_remedies(self):
        host = self.host()
        server = self.pomona(host, without=("state-dir", "control-socket", "user"))
        (server.images.path / "grub.nbi" / "i386" / "booter").unlink()
        gone = self.lab.folder / "not" / "there"
        server.arguments += ["--interface", "eth9", "--image-root", f"Gone={gone}", "--state-dir", str(gone),
                             "--control-socket", str(gone / "control"), "--tftp-root", str(gone), "--user", USER]
        with host.udp_socket("0.0.0.0", 69):
            code, said = self.check(server)
            as_json = json.loads(self.check(server, "--json")[1])
        self.assertEqual(code, 1, said)
        for subject in ("interface eth9", "port 69", "image-root Gone", "tftp-root", "state-dir", "control-socket",
                        f"image {server.images.path}/grub.nbi", "images"):
            self.assertRegex(said, rf"(?m)^(error|warning) +{re.escape(subject)}")
        for finding in as_json:
            if finding["severity"] != "ok":
                self.assertTrue(finding["remedy"], finding)
        self.assertEqual(len([each for each in as_json if each["severity"] == "error"]),
                         int(re.search(r"(\d+) errors", said)[1]))

    def test_check_agrees_with_serve(self):
        host = self.host()
        closed = self.lab.path("closed", "x").parent
        closed.chmod(0o700)
        for number, (setting, value) in enumerate((("image-root", f"Closed={closed}"), ("control-socket", closed / "c"),
                                                   ("tftp-root", closed))):
            with self.subTest(setting):
                server = self.pomona(host, f"p{number}", [setting] if setting != "tftp-root" else [], user=USER)
                server.arguments += [f"--{setting}", str(value)]
                self.assertEqual((self.check(server)[0], server.refused()[0]), (1, 1))


if __name__ == "__main__":
    lab.main()
