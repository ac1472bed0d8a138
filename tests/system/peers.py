"""The programs Pomona lives beside, with the plain settings their manuals show: nothing in them knows of Macs."""

import ipaddress
import json

import lab


def _folder(namespace, name):
    return namespace.lab.path(f"{namespace.label}-{name}", "x").parent


def isc_dhcpd(namespace, interface, network="10.0.1.0/24", first=100, last=199, authoritative=True, more=""):
    """ISC dhcpd in the foreground; authoritative, so that it also answers INFORM."""
    net = ipaddress.ip_network(network)
    folder = _folder(namespace, "dhcpd")
    config = folder / "dhcpd.conf"
    config.write_text(f"""{'authoritative;' if authoritative else ''}
ping-check false;
default-lease-time 600;
max-lease-time 7200;
subnet {net.network_address} netmask {net.netmask} {{
    range {net[first]} {net[last]};
    option routers {net[1]};
}}
{more}
""", encoding="ascii")
    leases = folder / "dhcpd.leases"
    leases.touch()
    process = namespace.start("dhcpd", "-4", "-f", "-d", "--no-pid", "-cf", config, "-lf", leases, interface)
    process.wait_for("Server starting service")
    return process


def dnsmasq(namespace, interface, network="10.0.1.0/24", first=100, last=199, tftp_root=None):
    """dnsmasq as a DHCP server only, or with its TFTP server too."""
    net = ipaddress.ip_network(network)
    folder = _folder(namespace, "dnsmasq")
    config = folder / "dnsmasq.conf"
    lines = ["port=0", "no-resolv", "no-hosts", "bind-dynamic", f"interface={interface}", "dhcp-authoritative", "no-ping",
             "log-dhcp", f"dhcp-range={net[first]},{net[last]},{net.netmask},10m", f"dhcp-option=3,{net[1]}",
             f"dhcp-leasefile={folder}/leases"]
    if tftp_root:
        lines += ["enable-tftp", f"tftp-root={tftp_root}"]
    config.write_text("\n".join(lines) + "\n", encoding="ascii")
    process = namespace.start("dnsmasq", "--keep-in-foreground", "--user=root", "--log-facility=-", "--pid-file=",
                              f"--conf-file={config}")
    process.wait_for("DHCP, IP range|DHCP, sockets bound")
    return process


def kea_dhcp4(namespace, interface, network="10.0.1.0/24", first=100, last=199):
    """Kea's DHCPv4 server on raw sockets, which is its default."""
    net = ipaddress.ip_network(network)
    folder = _folder(namespace, "kea")
    config = folder / "kea.json"
    config.write_text(json.dumps({"Dhcp4": {
        "interfaces-config": {"interfaces": [interface]},
        "lease-database": {"type": "memfile", "persist": False},
        "valid-lifetime": 600,
        "authoritative": True,
        "subnet4": [{
            "id": 1,
            "subnet": str(net),
            "pools": [{"pool": f"{net[first]} - {net[last]}"}],
            "option-data": [{"name": "routers", "data": str(net[1])}],
        }],
        "loggers": [{"name": "kea-dhcp4", "output_options": [{"output": "stdout", "flush": True}], "severity": "INFO"}],
    }}), encoding="ascii")
    env = dict(lab.ENVIRONMENT, KEA_PIDFILE_DIR=str(folder), KEA_LOCKFILE_DIR=str(folder),
               KEA_LOGGER_DESTINATION="stdout")
    process = namespace.start("kea-dhcp4", "-c", config, env=env)
    process.wait_for("DHCP4_STARTED")
    return process


SERVERS = {"isc-dhcpd": isc_dhcpd, "dnsmasq": dnsmasq, "kea": kea_dhcp4}


def dhcrelay(namespace, clients, upstream, server):
    """ISC's relay agent from the interface `clients` to the address `server` behind the interface `upstream`."""
    process = namespace.start("dhcrelay", "-4", "-d", "--no-pid", "-id", clients, "-iu", upstream, server)
    process.wait_for("Sending on .*Socket/fallback|Sending on +Socket")
    return process
