"""What the server remembers: across a restart, across kill -9, and as `pomona machine` sees and changes it."""

import crowd
import daemon
import lab
import virtual_mac


class RememberTest(daemon.ServerTestCase):
    def setUp(self):
        super().setUp()
        self.images = daemon.Images(self.lab)
        self.grub = self.images.add("grub", daemon.GRUB_INDEX, "GRUB 2 (lab)", IsDefault=True)
        self.ipxe = self.images.add("ipxe", 4098, "iPXE")

    def test_a_choice_survives_a_restart(self):
        server = self.serve(images=self.images)
        mac = virtual_mac.new(self.lab, self.lan)
        mac.select("10.0.1.11", self.ipxe)
        server.stop()
        server.start()
        self.assertEqual(mac.list().selected, self.ipxe)

    def test_a_choice_belongs_to_the_model_that_made_it(self):
        self.serve(images=self.images)
        mac = virtual_mac.new(self.lab, self.lan)
        mac.select("10.0.1.11", self.ipxe)
        self.assertIsNone(mac.list(model="MacBookPro8,3").selected)
        self.assertEqual(mac.list().selected, self.ipxe)

    def test_every_acknowledged_choice_survives_kill_9(self):
        server = self.serve(images=self.images)
        macs = crowd.Crowd(self.lab, self.lan, 300)
        acknowledged = macs.storm(self.ipxe, stop_after=150, then=server.process.kill)
        self.assertGreaterEqual(len(acknowledged), 150)
        self.assertLess(len(acknowledged), 300)
        server.start()
        remembered = {machine["mac"] for machine in server.machines()}
        self.assertEqual(acknowledged - remembered, set())
        for mac in sorted(acknowledged)[::25]:
            self.assertEqual(macs.macs[mac].list().selected, self.ipxe)
        self.assertEqual(server.process.count(r"(?i)damaged|corrupt"), 0)

    def test_a_damaged_database_is_no_reason_not_to_serve(self):
        server = self.serve(images=self.images)
        mac = virtual_mac.new(self.lab, self.lan)
        mac.select("10.0.1.11", self.ipxe)
        server.stop()
        [database] = [path for path in server.state.iterdir() if path.suffix in (".db", ".sqlite", ".sqlite3")]
        database.write_bytes(b"no database at all" * 1000)
        server.start()
        server.process.wait_for(r"(?i)\b(warn|error)\S*\b.*(damaged|aside|not a database|malformed)")
        self.assertIsNone(mac.list().selected)
        mac.select("10.0.1.11", self.grub)
        self.assertEqual(mac.list().selected, self.grub)
        self.assertTrue([path for path in server.state.iterdir() if path.name.startswith(database.name)
                         and path.read_bytes().startswith(b"no database")], "the damaged file is kept")

    def test_a_folder_that_went_away_comes_back_with_its_choice(self):
        self.serve(images=self.images)
        mac = virtual_mac.new(self.lab, self.lan)
        mac.select("10.0.1.11", self.ipxe)
        aside = self.lab.path("aside")
        (self.images.path / "ipxe.nbi").rename(aside)
        lab.eventually(lambda: mac.list().selected is None, "the missing image to leave the list")
        aside.rename(self.images.path / "ipxe.nbi")
        lab.eventually(lambda: mac.list().selected == self.ipxe, "the image and its choice to return")


class MachineCommandTest(daemon.ServerTestCase):
    def scene(self):
        server = self.serve()
        self.later = server.images.add("second", 4098, "The second one")
        mac = virtual_mac.new(self.lab, self.lan)
        lab.eventually(lambda: len(mac.list().images) == 2, "both images")
        return server, mac

    def test_while_serving(self):
        server, mac = self.scene()
        self.assertEqual(server.machines(), [])
        mac.select("10.0.1.11", daemon.image_id(daemon.GRUB_INDEX))
        [machine] = server.machines()
        self.assertEqual((machine["mac"], machine["model"]), (mac.mac, "iMac12,1"))
        self.assertIn("iMac12,1", server.command("machine", "show", mac.mac).stdout)
        server.command("machine", "select", mac.mac, "4098")
        self.assertEqual(mac.list().selected, self.later)
        server.command("machine", "forget", mac.mac)
        self.assertIsNone(mac.list().selected)
        self.assertEqual(server.machines(), [])

    def test_while_not_serving(self):
        server, mac = self.scene()
        mac.select("10.0.1.11", daemon.image_id(daemon.GRUB_INDEX))
        server.stop()
        [machine] = server.machines()
        self.assertEqual(machine["mac"], mac.mac)
        server.command("machine", "select", mac.mac, f"{self.later:#x}", "--image-root", f"NetBootSP0={server.images.path}")
        server.start()
        self.assertEqual(mac.list().selected, self.later)
        server.stop()
        server.command("machine", "forget", mac.mac)
        self.assertEqual(server.machines(), [])

    def test_mistakes_are_answered_in_words(self):
        server, mac = self.scene()
        for arguments, word in ((("show", "40:6c:8f:00:00:01"), "40:6c:8f:00:00:01"), (("show", "not-a-mac"), "not-a-mac"),
                                (("select", mac.mac, "9999"), "9999")):
            with self.subTest(arguments):
                done = server.command("machine", *arguments, check=False)
                self.assertIn(done.returncode, (1, 2))
                self.assertIn(word, done.stdout + done.stderr)

    def test_every_spelling_of_a_mac(self):
        server, mac = self.scene()
        mac.select("10.0.1.11", self.later)
        for spelling in (mac.mac.upper(), mac.mac.replace(":", "-"), mac.mac.replace(":", "")):
            self.assertIn("iMac12,1", server.command("machine", "show", spelling).stdout)


if __name__ == "__main__":
    lab.main()
