"""Root only to open the ports: afterwards an ordinary user with two capabilities, who still does everything."""

import pathlib
import pwd

import daemon
import lab
import virtual_mac

CAP_NET_BIND_SERVICE, CAP_NET_RAW = 10, 13
USER = "nobody"


class PrivilegesTest(daemon.ServerTestCase):
    def status(self, server):
        lines = pathlib.Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii").splitlines()
        return {line.split(":")[0]: line.split(":")[1].split() for line in lines}

    def test_an_unprivileged_user_serves(self):
        server = self.serve(user=USER)
        status = self.status(server)
        user = str(pwd.getpwnam(USER).pw_uid)
        self.assertEqual(status["Uid"], [user] * 4)
        self.assertNotIn("0", status["Gid"])
        self.assertNotIn("0", status["Groups"])
        kept = int(status["CapPrm"][0], 16)
        self.assertEqual(kept & ~(1 << CAP_NET_BIND_SERVICE | 1 << CAP_NET_RAW), 0, f"{kept:#x}")
        self.assertEqual(int(status["CapBnd"][0], 16) & 1 << 21, 0, "CAP_SYS_ADMIN stays out of reach")
        self.assertEqual(status["NoNewPrivs"], ["1"])

        mac = virtual_mac.new(self.lab, self.lan)
        chosen = mac.select("10.0.1.11", mac.list().default)
        self.assertEqual(len(mac.download(chosen.siaddr, chosen.file)), 60_000)
        self.assertEqual(len(server.machines()), 1)

    def test_an_interface_that_comes_later_needs_no_root(self):
        server = self.serve(user=USER)
        mac = virtual_mac.new(self.lab, self.lan)
        server.namespace.ip("link", "delete", "eth0")
        self.lan.join(server.namespace, "eth0", "10.0.1.11/24")
        lab.eventually(lambda: mac.answers(mac.list_request(), seconds=0.3, enough=1), "an answer to LIST", 20)

    def test_an_unknown_user_is_a_mistake_in_words(self):
        server = daemon.serve(self, self.lan, user="nobody-of-that-name")
        code, said = server.refused()
        self.assertIn(code, (1, 2), said)
        self.assertIn("nobody-of-that-name", said)

    def test_no_privilege_is_said_at_the_start(self):
        server = daemon.serve(self, self.lan)
        process = server.namespace.start("setpriv", "--reuid", USER, "--clear-groups", "--bounding-set=-all",
                                         daemon.PROGRAM, "serve", *server.arguments, name="unprivileged")
        self.assertEqual(process.wait(15), 1, process.output)
        self.assertRegex(process.output, r"(?i)privilege|permi|root|CAP_NET_RAW")


if __name__ == "__main__":
    lab.main()
