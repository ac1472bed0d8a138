"""What went over a cable: tcpdump records it, tshark reads it, and nothing in it may be malformed."""

import os
import signal
import subprocess

import lab


class Capture:
    """A running tcpdump; frames are on disk as soon as they were seen."""

    def __init__(self, namespace, interface, name="capture", expression="udp or icmp or arp"):
        self.path = namespace.lab.path("logs", f"{name}.pcap")
        self._namespace = namespace
        self._interface = interface
        # Marks the end of the recording: an Ethernet type set aside for experiments.
        expression = f"({expression}) or ether proto 0x88b5" if expression else ""
        self._tcpdump = namespace.start("tcpdump", "--immediate-mode", "-U", "-n", "-s", "2000", "-B", "16384", "-Z", "root", "-i", interface, "-w",
                                        self.path, expression, name=f"tcpdump-{name}")
        self._tcpdump.wait_for("listening on")

    def stop(self):
        """Ends the recording once everything up to now is in the file; returns the file."""
        mark = b"end of " + os.urandom(16)
        self._namespace.send_frame(self._interface, bytes(12) + b"\x88\xb5" + mark + bytes(30))
        lab.eventually(lambda: mark in self.path.read_bytes(), "tcpdump to catch up", 20)
        self._tcpdump.stop(signal.SIGINT)
        return self.path


def frames(pcap, display_filter, *fields):
    """One tuple of strings per frame that fits the filter, one string per field."""
    command = ["tshark", "-n", "-r", str(pcap), "-Y", display_filter, "-T", "fields", "-E", "occurrence=a"]
    for field in fields or ("frame.number",):
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return [tuple(line.split("\t")) for line in done.stdout.splitlines()]


def assert_no_malformed(pcap, which="udp.port == 67 || udp.port == 68 || tftp", checksums=True):
    """tshark finds neither a malformed field nor any remark in the frames of `which`, and there is at least one.

    Checksums are left out where a frame was recorded on the machine that sent it: there the kernel fills them in later.
    """
    command = ["tshark", "-n", "-r", str(pcap)]
    for layer in ("ip", "udp"):
        command += ["-o", f"{layer}.check_checksum:{'TRUE' if checksums else 'FALSE'}"]
    command += ["-Y", f"({which}) && (_ws.malformed || _ws.expert.severity >= 4194304 || "
                "ip.checksum.status == 0 || udp.checksum.status == 0)", "-V"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    if done.stdout:
        raise AssertionError(f"tshark does not like these frames of {pcap}:\n{done.stdout[:6000]}")
    if not frames(pcap, which):
        raise AssertionError(f"no frame of {pcap} fits {which}")
