"""Two network namespaces joined by a veth pair, and the programs that run in them.

The server's namespace holds 10.64.0.1/16. In the client's namespace the upper half of that network is a local
route, so one socket is thousands of Macs; the server's namespace reaches that half through the client's one
address, so that no program under measurement waits for ARP and none is favoured. Loaders have no address: for them
the client's namespace has none either, and answers no ARP.
"""

import contextlib
import json
import os
import signal
import subprocess
import time

SERVER_ADDRESS = "10.64.0.1"
CLIENT_ADDRESS = "10.64.0.2"
FIRST_MAC_ADDRESS = "10.64.128.1"
MAC_NETWORK = "10.64.128.0/17"
SERVER_INTERFACE = "srv0"
CLIENT_INTERFACE = "cli0"


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


class Lab:
    """A `with` block: the namespaces exist inside it and everything started in it ends with it."""

    def __init__(self, client_addresses=True):
        self.client_addresses = client_addresses
        self.server_space = f"pomona-bench-s{os.getpid()}"
        self.client_space = f"pomona-bench-c{os.getpid()}"
        # One processor for the server, one for the load, so that neither takes the other's time.
        processors = sorted(os.sched_getaffinity(0))
        self.load_processor, self.server_processor = processors[0], processors[-1]
        self.processes = []

    def __enter__(self):
        try:
            self._make()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_):
        for process in list(self.processes):
            self.stop(process)
        self._remove()

    def _make(self):
        server, client = self.server_space, self.client_space
        for space in (server, client):
            run("ip", "netns", "add", space)
            run("ip", "-n", space, "link", "set", "lo", "up")
        run("ip", "-n", server, "link", "add", SERVER_INTERFACE, "type", "veth",
            "peer", "name", CLIENT_INTERFACE, "netns", client)
        for space, interface in ((server, SERVER_INTERFACE), (client, CLIENT_INTERFACE)):
            # No IPv6 addresses: their announcements would be foreign packets in somebody's measurement.
            run("ip", "-n", space, "link", "set", interface, "addrgenmode", "none")
        run("ip", "-n", server, "address", "add", f"{SERVER_ADDRESS}/16", "dev", SERVER_INTERFACE)
        run("ip", "-n", server, "link", "set", SERVER_INTERFACE, "up")
        run("ip", "-n", client, "link", "set", CLIENT_INTERFACE, "up")
        if self.client_addresses:
            run("ip", "-n", client, "address", "add", f"{CLIENT_ADDRESS}/16", "dev", CLIENT_INTERFACE)
            run("ip", "-n", client, "route", "add", "local", MAC_NETWORK, "dev", "lo")
        run("ip", "-n", server, "route", "add", MAC_NETWORK, "via", CLIENT_ADDRESS)
        link = json.loads(subprocess.check_output(
            ["ip", "-n", client, "-json", "link", "show", CLIENT_INTERFACE]))[0]["address"]
        run("ip", "-n", server, "neighbour", "replace", CLIENT_ADDRESS, "lladdr", link,
            "dev", SERVER_INTERFACE, "nud", "permanent")

    def _remove(self):
        for space in (self.server_space, self.client_space):
            subprocess.run(["ip", "netns", "del", space], check=False,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    @staticmethod
    def _start(space, processor, command, **streams):
        """Starts it on one processor and ahead of all other work on the machine, so that only the program itself is
        measured. `ip netns exec` execs, so the process that is returned *is* the program in the end."""

        def prepare():
            os.sched_setaffinity(0, {processor})
            os.setpriority(os.PRIO_PROCESS, 0, -20)
            # Where the kernel shares processor time by session, niceness counts inside a session only.
            with contextlib.suppress(OSError), open("/proc/self/autogroup", "w", encoding="ascii") as autogroup:
                autogroup.write("-20")

        return subprocess.Popen(["ip", "netns", "exec", space, *map(str, command)], stdin=subprocess.DEVNULL,
                                start_new_session=True, preexec_fn=prepare, **streams)

    def start_server(self, command, log):
        with open(log, "ab") as output:
            process = self._start(self.server_space, self.server_processor, command,
                                  stdout=output, stderr=output)
        self.processes.append(process)
        return process

    def stop(self, process):
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.remove(process)

    def start_load(self, command):
        return self._start(self.client_space, self.load_processor, command,
                           stdout=subprocess.PIPE, text=True)


class LoadGenerator:
    """A program that prints one JSON object, run to its end."""

    def __init__(self, lab, program):
        self.lab = lab
        self.program = program

    def _start(self, mode, **options):
        command = [self.program, "--mode", mode, "--interface", CLIENT_INTERFACE,
                   "--first-address", FIRST_MAC_ADDRESS]
        for name, value in options.items():
            command += ["--" + name.replace("_", "-"), str(value)]
        return self.lab.start_load(command)

    def _finish(self, process):
        output, _ = process.communicate(timeout=150)
        if process.returncode != 0:
            raise RuntimeError(f"{self.program.name} failed")
        return json.loads(output)

    def run(self, mode, **options):
        return self._finish(self._start(mode, **options))


class Macs(LoadGenerator):
    """The load generator `bench_bsdp_load`."""

    def time_first_answer(self, start):
        """Seconds from just before start() to the first answer, asked for every millisecond."""
        load = self._start("first", outstanding=1, seconds=15)
        time.sleep(0.1)
        begun = time.monotonic_ns()
        process = start()
        answered = self._finish(load)["first_answer_ns"]
        if answered == 0:
            raise RuntimeError("no answer within 15 s")
        return process, (answered - begun) / 1e9
