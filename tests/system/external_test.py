"""Another program on the same machine sends the files: each Mac gets the name by which that program knows them."""

import daemon
import peers
import virtual_mac


def tftpd_hpa(namespace, root):
    """Debian's usual TFTP server, confined to its root folder: names are relative to it."""
    process = namespace.start("in.tftpd", "--listen", "--foreground", "--address", "0.0.0.0:69", "--user", "root",
                              "--secure", root)
    # It says nothing when it is ready.
    daemon.lab.eventually(lambda: ":69 " in namespace.run("ss", "-uln").stdout, "port 69 to be open")
    return process


class ExternalTest(daemon.ServerTestCase):
    def setUp(self):
        super().setUp()
        self.root = self.lab.path("tftproot", "x").parent
        self.images = daemon.Images(self.lab, "tftproot/mac/share")
        self.image = self.images.add("grub", daemon.GRUB_INDEX, IsDefault=True)
        for folder in (self.root, self.root / "mac"):
            folder.chmod(0o755)

    def server_for(self, tftp_root):
        return daemon.serve(self, self.lan, images=self.images,
                            arguments=("--tftp", "external", "--tftp-root", str(tftp_root)))

    def assert_boots(self, server):
        server.start()
        mac = virtual_mac.new(self.lab, self.lan)
        chosen = mac.select("10.0.1.11", mac.list().default)
        self.assertEqual(chosen.selected, self.image)
        self.assertNotIn("nbi/", chosen.file.replace(".nbi/", ""))
        program = mac.download(chosen.siaddr, chosen.file)
        self.assertEqual(daemon.sha256(program), daemon.sha256(self.images.booter("grub")))
        self.assertEqual(server.process.count(r"(?i)\b(warn|error)\b"), 0, server.process.output)

    def test_tftpd_hpa_finds_the_file_by_the_name_in_the_answer(self):
        server = self.server_for(self.root)
        tftpd_hpa(server.namespace, self.root)
        self.assert_boots(server)

    def test_dnsmasq_finds_the_file_by_the_name_in_the_answer(self):
        server = self.server_for(self.root)
        peers.dnsmasq(server.namespace, "eth0", tftp_root=self.root)
        self.assert_boots(server)

    def test_a_root_reached_through_a_link_is_the_same_root(self):
        link = self.lab.path("by-link")
        link.symlink_to(self.root)
        server = self.server_for(link)
        tftpd_hpa(server.namespace, self.root)
        self.assert_boots(server)

    def test_images_outside_of_that_root_are_not_offered(self):
        elsewhere = self.lab.path("elsewhere", "x").parent
        server = self.server_for(elsewhere).start()
        line = server.process.wait_for("image-problem")
        self.assertRegex(line, r"tftp-root|elsewhere")
        server.process.wait_for("images-read published=0")


if __name__ == "__main__":
    daemon.lab.main()
