"""tools/make-loaders and nbi/: the programs are sound and always the same, and know their server once they were fetched."""

import pathlib
import shutil
import subprocess
import tempfile
import time

import daemon
import lab

SOURCE = pathlib.Path(__file__).resolve().parents[2]
MAKE_LOADERS = SOURCE / "tools" / "make-loaders"
PROGRAMS = ("grub-x64.efi", "grub-ia32.efi", "ipxe-x64.efi", "ipxe-x64-drivers.efi")
SERVER_BLANK = b"@@POMONA-SERVER@@"
HTTP_BLANK = b"@@POMONA-HTTP@@"
PATH_BLANK = b"@@POMONA-PATH@@" + b"." * 112
SERVER, SECOND = "10.0.1.11", "10.0.1.12"


def make_loaders(folder, *more, **environment):
    return subprocess.run([MAKE_LOADERS, "--output", folder, *more], capture_output=True, text=True, check=False,
                          env=dict(lab.ENVIRONMENT, **environment), umask=0o077 if environment else -1)


class MakeLoadersTest(lab.LabTestCase):
    def test_the_same_packages_give_the_same_octets(self):
        done = make_loaders(self.lab.path("one"))
        self.assertEqual(done.returncode, 0, done.stderr)
        # Not by chance in the same second, in the same place and for the same user.
        begun = int(time.time())
        lab.eventually(lambda: int(time.time()) > begun, "the next second")
        done = make_loaders(self.lab.path("two"), TMPDIR=str(self.lab.path("tmp", "x").parent), TZ="Asia/Tokyo",
                            LC_ALL="C.UTF-8")
        self.assertEqual(done.returncode, 0, done.stderr)
        for program in PROGRAMS:
            first, second = (self.lab.path(name, program).read_bytes() for name in ("one", "two"))
            self.assertTrue(first == second, f"{program} differs")

    def test_a_second_run_touches_nothing(self):
        made = self.lab.path("made")
        make_loaders(made)
        before = [(made / program).stat() for program in PROGRAMS]
        done = make_loaders(made)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([(each.st_ino, each.st_mtime_ns) for each in before],
                         [(each.st_ino, each.st_mtime_ns) for each in ((made / program).stat() for program in PROGRAMS)])

    def test_the_ready_images_are_sound_with_these_programs(self):
        made = self.lab.path("made")
        make_loaders(made)
        for image, program, width in (("grub", "grub-x64.efi", "64-bit"), ("grub", "grub-ia32.efi", "32-bit"),
                                      ("ipxe", "ipxe-x64.efi", "64-bit"), ("ipxe", "ipxe-x64-drivers.efi", "64-bit")):
            with self.subTest(program=program):
                folder = self.lab.path(program, f"{image}.nbi")
                shutil.copytree(SOURCE / "nbi" / f"{image}.nbi", folder)
                (folder / "i386").mkdir()
                shutil.copy(made / program, folder / "i386" / "booter")
                done = subprocess.run([daemon.PROGRAM, "image", "check", folder], capture_output=True, text=True,
                                      check=False, env=lab.ENVIRONMENT)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                self.assertIn(f"{width} EFI", done.stdout)
                self.assertIn("0 errors, 0 warnings", done.stdout)

    def test_grub_can_read_its_scripts(self):
        for script in (SOURCE / "tools/loaders/grub.cfg", SOURCE / "tools/loaders/shell.cfg",
                       SOURCE / "nbi/grub.nbi/grub/grub.cfg"):
            done = subprocess.run(["grub-script-check", script], capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""), script)

    def test_ipxe_from_source_is_built_with_the_script_inside(self):
        """A makefile that says what it was told stands for iPXE's."""
        source = self.lab.path("ipxe/src/Makefile")
        source.write_text("%/snponly.efi:\n\t@mkdir -p $(@D)\n\t@cp $(EMBED) $@\n\t@echo $@ >> told\n")
        made = self.lab.path("made")
        done = make_loaders(made, "--ipxe-source", source.parents[1])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(sorted((source.parent / "told").read_text().split()),
                         ["bin-i386-efi/snponly.efi", "bin-x86_64-efi/snponly.efi"])
        script = (SOURCE / "tools/loaders/embedded.ipxe").read_bytes()
        for program in ("ipxe-x64.efi", "ipxe-ia32.efi"):
            self.assertEqual((made / program).read_bytes(), script)

    def test_a_script_without_its_blanks_is_noticed(self):
        source = self.lab.path("ipxe/src/Makefile")
        source.write_text("%/snponly.efi:\n\t@mkdir -p $(@D)\n\t@gzip -c $(EMBED) > $@\n")
        done = make_loaders(self.lab.path("made"), "--ipxe-source", source.parents[1])
        self.assertEqual(done.returncode, 1)
        self.assertIn("does not have the blank @@POMONA-SERVER@@ exactly once", done.stderr)

    def test_mistakes_are_told(self):
        made = self.lab.path("made")
        for arguments, code, said in ((("--ipxe-source", "/nowhere"), 1, "src/Makefile is missing"),
                                      (("--ipxe-source",), 2, "needs a folder"), (("--fast",), 2, "unknown argument")):
            done = make_loaders(made, *arguments)
            self.assertEqual(done.returncode, code)
            self.assertIn(said, done.stderr)
        self.assertFalse(made.exists())


class ServedLoadersTest(daemon.ServerTestCase):
    @classmethod
    def setUpClass(cls):
        cls.made = pathlib.Path(tempfile.mkdtemp(prefix="pomona-loaders-"))
        cls.addClassCleanup(shutil.rmtree, cls.made, ignore_errors=True)
        done = make_loaders(cls.made)
        assert done.returncode == 0, done.stderr

    def setUp(self):
        super().setUp()
        self.images = daemon.Images(self.lab)
        self.images.add("grub-x64", 4097, program=(self.made / "grub-x64.efi").read_bytes())
        self.images.add("grub-ia32", 4098, program=(self.made / "grub-ia32.efi").read_bytes())
        self.images.add("ipxe", 4099, program=(self.made / "ipxe-x64.efi").read_bytes())
        self.client = self.lab.namespace("client")
        self.lan.join(self.client, "en0", "10.0.1.50/24")

    def assert_filled(self, data, folder, server=SERVER):
        """Nothing but the blanks has changed, and they hold these values, with blanks behind."""
        expected = self.images.booter(folder).read_bytes()
        for blank, value in ((SERVER_BLANK, server), (PATH_BLANK, f"nbi/NetBootSP0/{folder}.nbi/i386/booter")):
            self.assertEqual(expected.count(blank), 1)
            expected = expected.replace(blank, value.encode().ljust(len(blank)))
        at = expected.index(HTTP_BLANK)
        self.assertRegex(data[at:at + len(HTTP_BLANK)], rb"^[0-9]+ +$")
        expected = expected.replace(HTTP_BLANK, data[at:at + len(HTTP_BLANK)])
        self.assertTrue(data == expected, f"{folder} was changed elsewhere")

    def check_filled(self, *arguments):
        self.serve(images=self.images, address=(f"{SERVER}/24", f"{SECOND}/24"), arguments=arguments)
        into = self.lab.path("fetched")
        for folder in ("grub-x64", "grub-ia32"):
            path = f"nbi/NetBootSP0/{folder}.nbi/i386/booter"
            place = self.images.booter(folder).read_bytes().index(SERVER_BLANK)
            # A size whose blocks meet in the middle of the address.
            through = next(size for size in range(400, 1400) if place % size > size - 8)
            for address in (SERVER, SECOND):
                with self.subTest(folder=folder, address=address):
                    self.client.run("tftp", "-m", "binary", address, "-c", "get", path, str(into))
                    self.assert_filled(into.read_bytes(), folder, address)
                    for size in (through, 8, 1456):
                        self.client.run("atftp", "--option", f"blksize {size}", "--option", "windowsize 8", "-g", "-r",
                                        path, "-l", str(into), address)
                        self.assert_filled(into.read_bytes(), folder, address)

    def test_the_address_is_filled_in(self):
        self.check_filled()

    def test_the_address_is_filled_in_over_a_single_port(self):
        self.check_filled("--tftp-single-port", "on")

    def test_a_program_without_blanks_stays_as_it_is(self):
        self.serve(images=self.images)
        into = self.lab.path("fetched")
        self.client.run("tftp", "-m", "binary", SERVER, "-c", "get", "nbi/NetBootSP0/ipxe.nbi/i386/booter", str(into))
        self.assertTrue(into.read_bytes() == (self.made / "ipxe-x64.efi").read_bytes())

    def test_a_configuration_that_is_not_there_costs_one_round_trip(self):
        self.serve(images=self.images)
        asking = self.client.udp_socket()
        self.addCleanup(asking.close)
        asking.settimeout(5)
        for name in ("/nbi/NetBootSP0/grub-x64.nbi/grub/grub.cfg-01-52-54-00-12-34-01", "/grub/grub.cfg"):
            begun = time.monotonic()
            # As GRUB asks.
            asking.sendto(b"\0\1" + name.encode() + b"\0octet\0blksize\0" b"1024\0tsize\0" b"0\0", (SERVER, 69))
            answer = asking.recvfrom(2000)[0]
            self.assertEqual((answer[:4], answer[-1:]), (b"\0\5\0\1", b"\0"))
            self.assertLess(time.monotonic() - begun, 0.5)


if __name__ == "__main__":
    lab.main()
