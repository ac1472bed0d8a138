"""The programs under measurement: the floor, Pomona, and two DHCP servers with a BSDP recipe.

Each offers one image, "GRUB 2 (lab)" with id 0x81001001, and writes its ordinary log lines to a file.
"""

import struct
import subprocess
from pathlib import Path

from bench_lab import FIRST_MAC_ADDRESS, SERVER_ADDRESS, SERVER_INTERFACE

IMAGE_ID = 0x81001001
IMAGE_NAME = b"GRUB 2 (lab)"
BOOT_FILE = "nbi/bench/grub.nbi/i386/booter"


def sub_option(code, value):
    return bytes([code, len(value)]) + value


def vendor_options():
    """Option 43 of the two answers, for servers that can only say fixed octets."""
    image = struct.pack(">I", IMAGE_ID)
    entry = image + bytes([len(IMAGE_NAME)]) + IMAGE_NAME
    listing = sub_option(1, b"\x01") + sub_option(4, b"\x80\x00") + sub_option(7, image) + sub_option(9, entry)
    selected = sub_option(1, b"\x02") + sub_option(8, image)
    return listing.hex(":"), selected.hex(":")


def write_image(root):
    """A .nbi folder with the smallest program that has a PE header for x86-64."""
    folder = root / "grub.nbi"
    (folder / "i386").mkdir(parents=True)
    keys = "".join(f"<key>{key}</key>{value}" for key, value in {
        "Name": f"<string>{IMAGE_NAME.decode()}</string>",
        "Index": f"<integer>{IMAGE_ID & 0xffff}</integer>",
        "Type": "<string>BootFileOnly</string>",
        "Kind": "<integer>1</integer>",
        "IsInstall": "<true/>",
        "IsEnabled": "<true/>",
        "IsDefault": "<true/>",
        "Architectures": "<array><string>i386</string></array>",
        "BootFile": "<string>booter</string>",
    }.items())
    (folder / "NBImageInfo.plist").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n<plist version="1.0"><dict>' + keys + "</dict></plist>\n")
    dos_header = b"MZ" + bytes(58) + struct.pack("<I", 64)
    optional_header = struct.pack("<H", 0x20B) + bytes(66) + struct.pack("<H", 10) + bytes(170)
    pe_header = b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, 0, 0, 0, 0, len(optional_header), 0x22)
    (folder / "i386" / "booter").write_bytes((dos_header + pe_header + optional_header).ljust(4096, b"\0"))


class Server:
    """What is measured. command(folder) prepares an empty folder and says what to execute."""

    name = ""

    def version(self):
        return ""

    def command(self, folder):
        raise NotImplementedError


class Floor(Server):
    name = "floor"

    def __init__(self, program):
        self.program = program

    def version(self):
        return "bare UDP socket, one recvfrom and one sendto per request"

    def command(self, folder):
        return [self.program, SERVER_ADDRESS, FIRST_MAC_ADDRESS]


class Pomona(Server):
    name = "pomona"

    def __init__(self, program):
        self.program = program

    def version(self):
        return subprocess.check_output([self.program, "version"], text=True).splitlines()[0]

    def command(self, folder):
        write_image(folder / "images")
        (folder / "state").mkdir()
        return [self.program, "serve", "--interface", SERVER_INTERFACE, "--image-root", f"bench={folder / 'images'}",
                "--state-dir", folder / "state", "--control-socket", folder / "control.sock",
                "--user", "", "--tftp", "off", "--log-level", "info"]


class IscDhcpd(Server):
    name = "dhcpd"

    def version(self):
        said = subprocess.run(["dhcpd", "--version"], capture_output=True, text=True, check=True)
        return (said.stdout + said.stderr).strip()

    def command(self, folder):
        listing, selected = vendor_options()
        configuration = folder / "dhcpd.conf"
        configuration.write_text(f"""
authoritative;
ddns-update-style none;
subnet 10.64.0.0 netmask 255.255.0.0 {{ }}
class "mac" {{
    match if substring(option vendor-class-identifier, 0, 10) = "AAPLBSDPC/";
    if option dhcp-message-type = 8 {{
        option dhcp-parameter-request-list 60, 43;
        option vendor-class-identifier "AAPLBSDPC";
        if substring(option vendor-encapsulated-options, 0, 3) = 01:01:01 {{
            option vendor-encapsulated-options {listing};
        }} elsif substring(option vendor-encapsulated-options, 0, 3) = 01:01:02 {{
            next-server {SERVER_ADDRESS};
            filename "{BOOT_FILE}";
            option vendor-encapsulated-options {selected};
        }}
    }}
}}
""")
        (folder / "leases").touch()
        return ["dhcpd", "-4", "-d", "-f", "-cf", configuration, "-lf", folder / "leases", "-pf", folder / "pid",
                SERVER_INTERFACE]


class Dnsmasq(Server):
    name = "dnsmasq"

    def version(self):
        return subprocess.check_output(["dnsmasq", "--version"], text=True).split("  ")[0].strip()

    def command(self, folder):
        listing, selected = vendor_options()
        return ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root",
                f"--pid-file={folder / 'pid'}", f"--dhcp-leasefile={folder / 'leases'}", "--log-facility=-",
                f"--interface={SERVER_INTERFACE}", "--bind-interfaces",
                "--dhcp-authoritative", "--dhcp-range=10.64.0.0,static,255.255.0.0",
                "--dhcp-vendorclass=set:mac,AAPLBSDPC/", "--dhcp-match=set:select,43,01:01:02",
                "--dhcp-option-force=tag:mac,60,AAPLBSDPC",
                f"--dhcp-option-force=tag:mac,tag:!select,43,{listing}",
                f"--dhcp-option-force=tag:mac,tag:select,43,{selected}",
                f"--dhcp-boot=tag:mac,tag:select,{BOOT_FILE},,{SERVER_ADDRESS}"]
