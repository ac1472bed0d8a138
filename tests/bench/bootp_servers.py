"""The programs that answer loaders: the floor, Pomona, Kea, ISC dhcpd and dnsmasq, each as its manual has it.

With `leased` every Mac has its lease in the server's file before it starts, since dhcpd and dnsmasq write to the disk
for each new one. `ping` is what dhcpd and dnsmasq do with an address before they give it, unless told not to.
"""

import ipaddress
import json
import os
import subprocess
from pathlib import Path

import bench_servers
from bench_lab import FIRST_MAC_ADDRESS, SERVER_INTERFACE

MACS = 2_000
LAST_MAC_ADDRESS = ipaddress.ip_address(FIRST_MAC_ADDRESS) + MACS - 1
NETWORK = ipaddress.ip_network("10.64.0.0/16")
KEA_HOOKS = Path("/usr/lib", f"{os.uname().machine}-linux-gnu", "kea", "hooks")


def hosts():
    """(name, MAC, address) of every simulated Mac."""
    for number in range(MACS):
        mac = (0x024D << 32 | number).to_bytes(6, "big").hex(":")
        yield f"mac{number}", mac, ipaddress.ip_address(FIRST_MAC_ADDRESS) + number


class Floor(bench_servers.Floor):
    ready = None


class Pomona(bench_servers.Pomona):
    """`fixed`: every Mac has a host entry. Otherwise it gets the address that it chose its image with."""

    ready = "serving"

    def __init__(self, program, name, fixed=False, bootp=True):
        super().__init__(program)
        self.name = name
        self.fixed = fixed
        self.bootp = bootp

    def command(self, folder):
        command = super().command(folder)
        if self.fixed:
            table = folder / "bootptab"
            table.write_text("%%\n" + "".join(f"{name} 1 {mac} {address}\n" for name, mac, address in hosts()))
            command += ["--bootptab", table]
        return command if self.bootp else [*command, "--bootp", "off"]


class Kea(bench_servers.Server):
    """With the BOOTP hook; every Mac has a reservation."""

    ready = "DHCP4_STARTED"

    def __init__(self, name):
        self.name = name

    def version(self):
        return "Kea " + subprocess.check_output(["kea-dhcp4", "-v"], text=True).strip()

    def environment(self, folder):
        return {"KEA_PIDFILE_DIR": str(folder), "KEA_LOCKFILE_DIR": str(folder), "KEA_LOGGER_DESTINATION": "stdout"}

    def command(self, folder):
        configuration = folder / "kea.json"
        configuration.write_text(json.dumps({"Dhcp4": {
            "interfaces-config": {"interfaces": [SERVER_INTERFACE]},
            "lease-database": {"type": "memfile", "name": str(folder / "leases.csv")},
            "host-reservation-identifiers": ["hw-address"],
            "hooks-libraries": [{"library": str(KEA_HOOKS / "libdhcp_bootp.so")}],
            "subnet4": [{"id": 1, "subnet": str(NETWORK), "reservations": [
                {"hw-address": mac, "ip-address": str(address)} for _, mac, address in hosts()]}],
            "loggers": [{"name": "kea-dhcp4", "severity": "INFO",
                         "output_options": [{"output": "stdout", "flush": True}]}],
        }}))
        return ["env", *(f"{key}={value}" for key, value in self.environment(folder).items()),
                "kea-dhcp4", "-c", configuration]


class IscDhcpd(bench_servers.Server):
    """`fixed`: every Mac has a host declaration. Otherwise addresses of a range, for BOOTP too if `dynamic_bootp`."""

    ready = "Server starting service"

    def __init__(self, name, fixed=False, dynamic_bootp=True, leased=False, ping=True):
        self.name = name
        self.fixed = fixed
        self.dynamic_bootp = dynamic_bootp
        self.leased = leased
        self.ping = ping

    def version(self):
        return bench_servers.IscDhcpd().version()

    def command(self, folder):
        flag = "dynamic-bootp " if self.dynamic_bootp else ""
        pool = "" if self.fixed else f"range {flag}{FIRST_MAC_ADDRESS} {LAST_MAC_ADDRESS};"
        fixed = "".join(f"host {name} {{ hardware ethernet {mac}; fixed-address {address}; }}\n"
                        for name, mac, address in hosts()) if self.fixed else ""
        configuration = folder / "dhcpd.conf"
        configuration.write_text(f"""authoritative;
ddns-update-style none;
{"" if self.ping else "ping-check false;"}
subnet {NETWORK.network_address} netmask {NETWORK.netmask} {{ {pool} }}
{fixed}""")
        (folder / "leases").write_text("".join(
            f"lease {address} {{ starts epoch 1; ends never; binding state active; hardware ethernet {mac}; "
            "dynamic-bootp; }\n" for _, mac, address in hosts()) if self.leased else "")
        return ["dhcpd", "-4", "-d", "-f", "-cf", configuration, "-lf", folder / "leases", "-pf", folder / "pid",
                SERVER_INTERFACE]


class Dnsmasq(bench_servers.Server):
    """`fixed`: every Mac has a dhcp-host. Otherwise addresses of a range, for BOOTP too."""

    ready = "DHCP, sockets bound"

    def __init__(self, name, fixed=False, leased=False, ping=True):
        self.name = name
        self.fixed = fixed
        self.leased = leased
        self.ping = ping

    def version(self):
        return bench_servers.Dnsmasq().version()

    def command(self, folder):
        lines = ["port=0", "no-resolv", "no-hosts", f"interface={SERVER_INTERFACE}", "bind-interfaces",
                 "dhcp-authoritative", "log-facility=-", "user=root", f"pid-file={folder / 'pid'}",
                 f"dhcp-leasefile={folder / 'leases'}", f"dhcp-lease-max={2 * MACS}"]
        if self.fixed:
            lines.append(f"dhcp-range={NETWORK.network_address},static,{NETWORK.netmask}")
            lines += [f"dhcp-host={mac},{address}" for _, mac, address in hosts()]
        else:
            lines += [f"dhcp-range={FIRST_MAC_ADDRESS},{LAST_MAC_ADDRESS},{NETWORK.netmask}", "bootp-dynamic"]
        if not self.ping:
            lines.append("no-ping")
        (folder / "leases").write_text(
            "".join(f"0 {mac} {address} * *\n" for _, mac, address in hosts()) if self.leased else "")
        configuration = folder / "dnsmasq.conf"
        configuration.write_text("\n".join(lines) + "\n")
        return ["dnsmasq", "--keep-in-foreground", f"--conf-file={configuration}"]
