#!/usr/bin/env python3
"""Writes the first inputs of the codec fuzz targets, named by story, from the worked examples of BSDP.

Run it by hand after a change; what it writes is kept in the repository: tests/fuzz/make_corpus.py
"""

import pathlib
import struct

HERE = pathlib.Path(__file__).parent
EXAMPLES = HERE.parent / "data" / "frames" / "bsdp_examples.hex"

STORIES = {
    "E1": "discover_from_firmware", "E2": "offer_to_bound_client", "E3": "list_from_firmware",
    "E4": "list_answer_two_images", "E5": "select_from_firmware", "E6": "select_answer_boot_file_only",
    "E7": "list_from_startup_disk", "E8": "list_answer_three_instances", "E9": "select_answer_diskless",
    "E10": "failed_answer", "E11": "list_diagnostics_only", "E12": "list_answer_version_1_0",
    "E13": "list_from_netboot_1_0_machine", "E14": "list_through_relay", "E15": "list_answer_through_relay",
    "E16": "bootp_request", "E17": "bootp_reply", "R1": "list_answer_of_real_server",
}


def examples():
    found, current = {}, None
    for line in EXAMPLES.read_text().splitlines():
        line = line.split("#")[0].strip()
        if line.startswith("["):
            name, length = line.strip("[]").split()
            current = found[name] = bytearray(int(length))
        elif line:
            offset, octets = line.split(":")
            octets = bytes.fromhex(octets)
            current[int(offset, 16):int(offset, 16) + len(octets)] = octets
    return found


def checksum(octets):
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def frame(payload, source=("0.0.0.0", 68), tag=b"", options=b"", fragment=0, padding=0):
    address = lambda text: bytes(int(part) for part in text.split("."))
    udp = struct.pack("!HHHH", source[1], 67, 8 + len(payload), 0) + payload
    ip = bytearray(struct.pack("!BBHHHBBH", 0x45 + len(options) // 4, 0, 20 + len(options) + len(udp), 7, fragment,
                               64, 17, 0) + address(source[0]) + b"\xff" * 4 + options)
    ip[10:12] = struct.pack("!H", checksum(bytes(ip)))
    return b"\xff" * 6 + bytes.fromhex("406c8f379527") + tag + b"\x08\x00" + bytes(ip) + udp + bytes(padding)


def dhcp(options, sname=b"", file=b""):
    fixed = bytearray(examples()["E3"][:236])
    fixed[44:44 + len(sname)] = sname
    fixed[108:108 + len(file)] = file
    return bytes(fixed) + bytes.fromhex("63825363") + options


def write(target, story, octets):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / story).write_bytes(octets)


def main():
    for name, payload in examples().items():
        write("dhcp", STORIES[name], payload)
        write("bsdp", "message_" + STORIES[name], b"m" + payload)

    list_request = bytes(examples()["E3"])
    write("frame", "discover_broadcast", frame(bytes(examples()["E1"])))
    write("frame", "list_tagged_vlan_42", frame(list_request, ("10.0.1.32", 68), tag=b"\x81\x00\x60\x2a"))
    write("frame", "list_priority_tag", frame(list_request, ("10.0.1.32", 68), tag=b"\x81\x00\xe0\x00"))
    write("frame", "list_with_ip_options", frame(list_request, ("10.0.1.32", 68), options=b"\x07\x04\x04\x00"))
    write("frame", "short_payload_padded", frame(b"hello", padding=13))
    write("frame", "empty_payload", frame(b"", padding=18))
    write("frame", "first_fragment", frame(list_request, fragment=0x2000))
    write("frame", "last_fragment", frame(list_request, fragment=0x00B9))
    write("frame", "long_answer", frame(bytes(examples()["E8"])))
    write("frame", "cut_off", frame(list_request)[:60])
    write("frame", "not_ip", frame(list_request).replace(b"\x08\x00\x45", b"\x86\xdd\x60", 1))

    write("dhcp", "overload_both", dhcp(b"\x34\x01\x03\x35\x01\x08\xff", b"\x0c\x02mc\xff", b"\x03\x04\x0a\0\1\1\xff"))
    write("dhcp", "overload_4", dhcp(b"\x34\x01\x04\x35\x01\x08\xff"))
    write("dhcp", "option_past_the_end", dhcp(b"\x35\x01\x08\x3c\x04AAP"))
    write("dhcp", "no_end", dhcp(b"\x35\x01\x08"))
    write("dhcp", "file_without_nul", dhcp(b"\x35\x01\x08\xff", file=b"x" * 128))
    write("dhcp", "hlen_17", b"\x01\x01\x11" + list_request[3:])
    write("dhcp", "other_cookie", list_request[:236] + b"\0" * 64)

    instance = lambda octets: bytes([len(octets)]) + octets
    image = b"\x81\x00\x10\x01\x04iPXE"
    head = b"\x01\x01\x01\x02\x02\x01\x01"
    write("bsdp", "instances_split_list", b"v" + instance(head + b"\x09\x09" + image) + instance(b"\x09\x09" + image))
    write("bsdp", "instances_image_over_border", b"v" + instance(head + b"\x09\x05" + image[:5]) +
          instance(b"\x09\x04" + image[5:]))
    write("bsdp", "instances_split_sub_option", b"v" + instance(head + b"\x05\x02\x03") + instance(b"\xe1"))
    write("bsdp", "instances_end_in_the_middle", b"v" + instance(head + b"\xff\x05\x02\x03\xe1") + instance(b"\x0a\x00"))
    write("bsdp", "instances_filter_of_two", b"v" + instance(head + b"\x0b\x05\x03\x00\x81\x00\x09"))
    write("bsdp", "instances_wrong_lengths", b"v" + instance(head + b"\x05\x01\x03\x08\x03\x81\x00\x00\x04\x00"))
    write("bsdp", "instances_select", b"v" + instance(b"\x08\x04\x81\x00\x05\x2a\x03\x04\x0a\x00\x01\x0b\x01\x01\x02"))

    def room(limit, default, selected, names):
        return b"l" + struct.pack("!HBB", limit - 520, default, selected) + bytes(names)

    write("bsdp", "list_fifty_in_520", room(520, 0, 255, [10] * 50))
    write("bsdp", "list_fifty_in_520_bound", room(520, 0, 2, [10] * 50))
    write("bsdp", "list_default_is_last", room(520, 49, 48, [10] * 50))
    write("bsdp", "list_fourteen_in_8164", room(8164, 0, 2, [30] * 14))
    write("bsdp", "list_long_names", room(1472, 3, 2, [229] * 10))
    write("bsdp", "list_of_all_lengths", room(8164, 100, 50, range(230)))
    write("bsdp", "list_no_default", room(700, 255, 255, [10, 0, 1, 200, 3, 115, 115, 7, 64, 64, 64]))

    write("http", "target_of_gpxe", b"t/bootdirectory/52%3A54%3A00%3A12%3A34%3A01.gpxe")
    write("http", "target_with_query", b"t/ipxe?mac=52:54:00:12:34:01&product=iMac9%2C1&a+b&&=c")
    write("http", "target_absolute", b"thttp://10.0.1.11:8080/NetBoot/NetBootSP0/My%20Image.nbi/System.dmg")
    write("http", "target_bad_escape", b"t/100%25%4")
    write("http", "target_nul", b"t/boot%00.ipxe")
    for story, text in (("rest", b"bytes=1000-"), ("suffix", b"bytes=-500"), ("several", b"bytes=0-99, 200-299,-1"),
                        ("overlapping", b"bytes=0-99,50-149,149-"), ("backwards", b"bytes=9-3"),
                        ("too_large", b"bytes=18446744073709551616-"), ("empty_elements", b"Bytes = , 1-2,,"),
                        ("other_unit", b"lines=1-2")):
        write("http", "range_" + story, b"r" + struct.pack("!Q", 1234) + text)
    write("http", "range_of_nothing", b"r" + bytes(8) + b"bytes=0-,-1")
    for story, text in (("imf", b"Sun, 06 Nov 1994 08:49:37 GMT"), ("rfc850", b"Sunday, 06-Nov-94 08:49:37 GMT"),
                        ("asctime", b"Sun Nov  6 08:49:37 1994"), ("no_such_day", b"Sun, 31 Feb 1994 08:49:37 GMT")):
        write("http", "date_" + story, b"d" + text)
    write("http", "tags", b'd"a", W/"16f2-80", *')


main()
