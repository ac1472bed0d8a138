"""The ready images of nbi/ with the loaders of tools/make-loaders on virtual iMacs: their menus, and what failed in words."""

import pathlib
import shutil
import subprocess
import tempfile

import daemon
import lab
import peers
import virtual_imac

SOURCE = pathlib.Path(__file__).resolve().parents[2]
# The last whole line of GRUB's menu on the console.
MENU = r"Press enter to boot the selected OS"
END = 'echo "end: $prefix"\necho "end: server $server, machine $mac"\nhalt\n'


class LoaderBootTest(daemon.ServerTestCase):
    @classmethod
    def setUpClass(cls):
        cls.made = pathlib.Path(tempfile.mkdtemp(prefix="pomona-loaders-"))
        cls.addClassCleanup(shutil.rmtree, cls.made, ignore_errors=True)
        subprocess.run([SOURCE / "tools" / "make-loaders", "--output", cls.made], check=True, capture_output=True,
                       env=lab.ENVIRONMENT)

    def setUp(self):
        super().setUp()
        self.images = daemon.Images(self.lab)

    def add_ready(self, folder, ready, program):
        """An image folder of nbi/ with its program, as nbi/README.md says."""
        to = self.images.path / f"{folder}.nbi"
        shutil.copytree(SOURCE / "nbi" / f"{ready}.nbi", to)
        (to / "i386").mkdir()
        shutil.copy(self.made / program, to / "i386" / "booter")
        return to

    def serve_beside_dhcpd(self, *arguments):
        self.server = daemon.serve(self, self.lan, images=self.images, arguments=arguments)
        host = self.lab.namespace("dhcp")
        self.lan.join(host, "eth0", "10.0.1.2/24")
        peers.isc_dhcpd(host, "eth0")
        self.server.start()

    def power_on(self, **settings):
        return virtual_imac.Imac(self.lab, self.lan, **settings).power_on()

    def test_the_menu_for_all(self):
        self.add_ready("grub", "grub", "grub-x64.efi")
        self.serve_beside_dhcpd()
        imac = self.power_on()
        imac.wait_for(r"This is 40-6c-8f-12-34-01; the server is 10\.0\.1\.11\.")
        imac.wait_for(MENU)
        imac.power_off()

    def test_ipxe_and_its_script(self):
        self.add_ready("ipxe", "ipxe", "ipxe-x64.efi")
        self.serve_beside_dhcpd()
        imac = self.power_on(choose="iPXE")
        imac.wait_for(r"nbi/NetBootSP0/ipxe\.nbi/ipxe/boot\.ipxe\.* ok")
        imac.wait_for(r"Pomona: this is 40:6c:8f:12:34:01 with address 10\.0\.1\.100")
        imac.wait_for(r"01-40-6c-8f-12-34-01\.ipxe\.* No such file")
        imac.power_off()

    def test_the_server_is_known_when_the_dhcp_server_alone_answers(self):
        folder = self.add_ready("grub", "grub", "grub-x64.efi")
        (folder / "grub" / "grub.cfg").write_text(END)
        self.serve_beside_dhcpd("--bootp", "off", "--http", "off")
        said = self.power_on().wait_off()
        self.assertIn("Pomona: configuration on tftp,10.0.1.11:\n  /nbi/NetBootSP0/grub.nbi/grub/grub.cfg\n", said)
        self.assertIn("end: (tftp,10.0.1.11)/nbi/NetBootSP0/grub.nbi/grub\n", said)
        self.assertIn("end: server 10.0.1.11, machine 40-6c-8f-12-34-01\n", said)

    def test_what_failed_is_said_in_words(self):
        folder = self.add_ready("grub", "grub", "grub-x64.efi")
        (folder / "grub" / "grub.cfg").unlink()
        self.serve_beside_dhcpd()
        imac = self.power_on()
        imac.wait_for(r"Pomona: no configuration on 10\.0\.1\.11\.")
        imac.wait_for(r"  /nbi/NetBootSP0/grub\.nbi/grub/grub\.cfg-01-40-6c-8f-12-34-01")
        imac.wait_for(MENU)
        imac.power_off()


if __name__ == "__main__":
    lab.main()
