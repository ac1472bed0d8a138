#include "card.h"

Card card;

enum {
    HEADER = 14,
    IP_HEADER = 20,
    UDP_HEADER = 8,
    MIN_FRAME = 60,
    MAX_FRAME = 1514,
    TYPE_IP = 0x0800,
    TYPE_ARP = 0x0806,
    UDP = 17
};

static SimpleNetwork* network;
static uint8_t out[MAX_FRAME];
static uint8_t in[2048];
static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

// The neighbour asked for last: a boot talks to one server at a time.
static uint32_t neighbour;
static uint8_t neighbour_mac[6];

static bool ends_in_mac_node(const DevicePath* node) {
    bool mac = false;
    // A path is short; a broken one must not be followed for ever.
    for (int left = 64; left != 0 && node->type != PATH_END; --left) {
        const size_t length = (size_t)(node->length[0] | node->length[1] << 8);
        if (length < sizeof *node) return false;
        mac = node->type == PATH_MESSAGING && node->subtype == PATH_MAC;
        node = (const DevicePath*)((const uint8_t*)node + length);
    }
    return mac;
}

static void connect_everything(void) {
    size_t count = 0;
    Handle* handles = NULL;
    if (firmware->boot->locate_handle_buffer(ALL_HANDLES, NULL, NULL, &count, &handles) != SUCCESS) return;
    for (size_t at = 0; at < count; ++at) firmware->boot->connect_controller(handles[at], NULL, NULL, true);
    firmware->boot->free_pool(handles);
}

void card_open(void) {
    connect_everything();
    size_t count = 0;
    Handle* handles = NULL;
    firmware->boot->locate_handle_buffer(BY_PROTOCOL, &simple_network_guid, NULL, &count, &handles);
    for (size_t at = 0; at < count && card.handle == NULL; ++at) {
        void* path = NULL;
        if (firmware->boot->handle_protocol(handles[at], &device_path_guid, &path) != SUCCESS) continue;
        if (!ends_in_mac_node(path)) continue;
        card.handle = handles[at];
        card.path = path;
    }
    if (card.handle == NULL) fail("no network card among %u handles with Simple Network", (uint32_t)count);
    firmware->boot->free_pool(handles);

    // Exclusively, or the firmware's own network, which is running by now, takes our packets and our
    // completions.
    void* opened = NULL;
    Status status = firmware->boot->open_protocol(card.handle, &simple_network_guid, &opened, ourselves, NULL,
                                                  OPEN_EXCLUSIVE);
    if (status != SUCCESS) fail("the card is not to be had exclusively: %r", status);
    network = opened;
    status = network->start(network);
    if (status != SUCCESS && status != ALREADY_STARTED) fail("the card does not start: %r", status);
    status = network->initialize(network, 0, 0);
    if (status != SUCCESS) fail("the card does not initialize: %r", status);
    status = network->receive_filters(network, FILTER_UNICAST | FILTER_BROADCAST, 0, true, 0, NULL);
    if (status != SUCCESS) fail("the card refuses its filters: %r", status);
    memcpy(card.mac, network->mode->current_address.octets, sizeof card.mac);
    say("card %m", card.mac);
}

void card_release(void) {
    network->shutdown(network);
    network->stop(network);
    const Status status = firmware->boot->close_protocol(card.handle, &simple_network_guid, ourselves, NULL);
    if (status != SUCCESS) fail("the card is not given back: %r", status);
}

// Sends `out`, whose part behind the Ethernet header is filled.
static void send_frame(const uint8_t* to, uint16_t type, size_t size) {
    memcpy(out, to, 6);
    memcpy(out + 6, card.mac, 6);
    put16(out + 12, type);
    size += HEADER;
    if (size < MIN_FRAME) {
        memset(out + size, 0, MIN_FRAME - size);
        size = MIN_FRAME;
    }
    // A full ring empties itself; a card that stays full is told by the silence that follows.
    for (int left = 1000; left != 0; --left) {
        if (network->transmit(network, 0, size, out, NULL, NULL, NULL) != NOT_READY) break;
        firmware->boot->stall(100);
    }
    // `out` belongs to the card until it says that it is done with it.
    for (int left = 1000; left != 0; --left) {
        void* done = NULL;
        if (network->get_status(network, NULL, &done) == SUCCESS && done == out) return;
        firmware->boot->stall(100);
    }
}

static void send_arp(uint16_t operation, const uint8_t* target_mac, uint32_t target) {
    uint8_t* arp = out + HEADER;
    put16(arp, 1);
    put16(arp + 2, TYPE_IP);
    arp[4] = 6;
    arp[5] = 4;
    put16(arp + 6, operation);
    memcpy(arp + 8, card.mac, 6);
    put32(arp + 14, card.address);
    memcpy(arp + 18, target_mac, 6);
    put32(arp + 24, target);
    static const uint8_t unknown[6];
    send_frame(memcmp(target_mac, unknown, 6) == 0 ? everybody : target_mac, TYPE_ARP, 28);
}

static void hear_arp(const uint8_t* arp, size_t size) {
    if (size < 28 || get16(arp) != 1 || get16(arp + 2) != TYPE_IP || arp[4] != 6 || arp[5] != 4) return;
    const uint32_t sender = get32(arp + 14);
    if (card.address == 0 || get32(arp + 24) != card.address) return;
    if (sender != 0 && sender == neighbour) memcpy(neighbour_mac, arp + 8, 6);
    if (get16(arp + 6) == 1) {
        uint8_t asker[6];
        memcpy(asker, arp + 8, sizeof asker);
        send_arp(2, asker, sender);
    }
}

// The sum of RFC 1071 over `size` octets, to be continued or finished.
static uint32_t sum(const uint8_t* at, size_t size, uint32_t before) {
    for (; size > 1; size -= 2, at += 2) before += get16(at);
    if (size == 1) before += (uint32_t)at[0] << 8;
    return before;
}

static uint16_t finish(uint32_t value) {
    while (value >> 16 != 0) value = (value & 0xffff) + (value >> 16);
    return (uint16_t)~value;
}

// `ip` is a header of 20 octets, `udp` what follows it, of `size` octets.
static uint16_t udp_sum(const uint8_t* ip, const uint8_t* udp, size_t size) {
    return finish(sum(udp, size, sum(ip + 12, 8, UDP + (uint32_t)size)));
}

static bool for_us(uint32_t destination) {
    // Without an address, what came to our link address is ours: an OFFER goes to the address that it offers.
    return card.address == 0 || destination == card.address || destination == BROADCAST ||
           destination == (card.address | ~card.mask);
}

static bool take_datagram(const uint8_t* ip, size_t size, uint16_t port, Datagram* datagram) {
    if (size < IP_HEADER || ip[0] >> 4 != 4) return false;
    const size_t header = (size_t)(ip[0] & 15) * 4;
    const size_t total = get16(ip + 2);
    if (header < IP_HEADER || total < header + UDP_HEADER || total > size || finish(sum(ip, header, 0)) != 0)
        return false;
    if (ip[9] != UDP || !for_us(get32(ip + 16))) return false;
    if ((get16(ip + 6) & 0x3fff) != 0) {
        say("a fragment from %a passed over", get32(ip + 12));
        return false;
    }
    const uint8_t* udp = ip + header;
    const size_t length = get16(udp + 4);
    if (length < UDP_HEADER || length > total - header || get16(udp + 2) != port) return false;
    if (get16(udp + 6) != 0 && udp_sum(ip, udp, length) != 0) return false;
    datagram->source = get32(ip + 12);
    datagram->source_port = get16(udp);
    datagram->payload = udp + UDP_HEADER;
    datagram->size = length - UDP_HEADER;
    return true;
}

// One frame, if there is one. True when it was a datagram to `port`.
static bool hear(uint16_t port, Datagram* datagram, bool* anything) {
    size_t size = sizeof in;
    *anything = network->receive(network, NULL, &size, in, NULL, NULL, NULL) == SUCCESS;
    if (!*anything || size < HEADER) return false;
    if (memcmp(in, card.mac, 6) != 0 && memcmp(in, everybody, 6) != 0) return false;
    if (get16(in + 12) == TYPE_ARP) hear_arp(in + HEADER, size - HEADER);
    return get16(in + 12) == TYPE_IP && take_datagram(in + HEADER, size - HEADER, port, datagram);
}

bool udp_receive(uint16_t port, Datagram* datagram) {
    uint32_t quiet = 0;
    for (;;) {
        bool anything = false;
        if (hear(port, datagram, &anything)) return true;
        if (alarm_rang()) return false;
        // An answer mostly comes at once; after that others may have the processor.
        quiet = anything ? 0 : quiet + 1;
        if (quiet > 50) {
            idle();
        } else if (quiet != 0) {
            firmware->boot->stall(100);
        }
    }
}

static bool find_neighbour(uint32_t address) {
    static const uint8_t unknown[6];
    if (neighbour == address && memcmp(neighbour_mac, unknown, 6) != 0) return true;
    neighbour = address;
    memset(neighbour_mac, 0, sizeof neighbour_mac);
    for (uint32_t wait = 500; wait <= 4000; wait *= 2) {
        send_arp(1, unknown, address);
        alarm_in(wait);
        while (!alarm_rang()) {
            bool anything = false;
            Datagram dropped;
            hear(0, &dropped, &anything);
            if (memcmp(neighbour_mac, unknown, 6) != 0) return true;
            if (!anything) firmware->boot->stall(100);
        }
    }
    say("nobody answers for %a", address);
    return false;
}

bool udp_send(uint16_t source_port, uint32_t to, uint16_t to_port, const void* payload, size_t size) {
    static uint16_t identification;
    const uint8_t* link = everybody;
    if (to != BROADCAST) {
        const bool near = ((to ^ card.address) & card.mask) == 0;
        if (!find_neighbour(near || card.router == 0 ? to : card.router)) return false;
        link = neighbour_mac;
    }
    uint8_t* ip = out + HEADER;
    uint8_t* udp = ip + IP_HEADER;
    memset(ip, 0, IP_HEADER + UDP_HEADER);
    ip[0] = 0x45;
    put16(ip + 2, (uint32_t)(IP_HEADER + UDP_HEADER + size));
    put16(ip + 4, ++identification);
    ip[8] = 64;
    ip[9] = UDP;
    put32(ip + 12, card.address);
    put32(ip + 16, to);
    put16(ip + 10, finish(sum(ip, IP_HEADER, 0)));
    put16(udp, source_port);
    put16(udp + 2, to_port);
    put16(udp + 4, (uint32_t)(UDP_HEADER + size));
    memcpy(udp + UDP_HEADER, payload, size);
    const uint16_t check = udp_sum(ip, udp, UDP_HEADER + size);
    put16(udp + 6, check == 0 ? 0xffff : check);
    send_frame(link, TYPE_IP, IP_HEADER + UDP_HEADER + size);
    return true;
}
