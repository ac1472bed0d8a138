#include "netboot.h"

#include "card.h"
#include "settings.h"

enum {
    CLIENT_PORT = 68,
    SERVER_PORT = 67,
    TFTP_PORT = 69,
    BOOTP_FIXED = 236,
    COOKIE = 0x63825363,
    MIN_MESSAGE = 300,
    MAX_MESSAGE = MAX_PAYLOAD,
    IMAGE_LIST = 9,
    DISCOVER = 1,
    OFFER = 2,
    REQUEST = 3,
    ACK = 5,
    NAK = 6,
    INFORM = 8,
    LIST = 1,
    SELECT = 2,
    FAILED = 3,
};

// How often and how long firmware asks is not known field by field; doubling is what Apple's document says.
enum { TRIES = 4, FIRST_WAIT = 2000 };

// Requests

static uint8_t message[MAX_MESSAGE];
static size_t message_size;

static void put_octets(uint8_t code, const void* value, size_t size) {
    message[message_size++] = code;
    message[message_size++] = (uint8_t)size;
    memcpy(message + message_size, value, size);
    message_size += size;
}

static void put_address(uint8_t code, uint32_t address) {
    uint8_t octets[4];
    put32(octets, address);
    put_octets(code, octets, sizeof octets);
}

static void begin_message(uint8_t type) {
    memset(message, 0, sizeof message);
    message[0] = 1;
    message[1] = 1;
    message[2] = 6;
    put32(message + 4, random_number());
    if (type == INFORM) put32(message + 12, card.address);
    memcpy(message + 28, card.mac, sizeof card.mac);
    put32(message + BOOTP_FIXED, COOKIE);
    message_size = BOOTP_FIXED + 4;
    put_octets(53, &type, 1);
    put_octets(55, "\x01\x03\x43\x2b\x3c", 5);
    put_octets(57, "\x05\xdc", 2);
    char class[80] = "AAPLBSDPC/i386/";
    const size_t prefix = length_of(class);
    const size_t length = length_of(settings.model);
    memcpy(class + prefix, settings.model, length);
    put_octets(60, class, prefix + length);
}

static void end_message(void) {
    message[message_size++] = 255;
    if (message_size < MIN_MESSAGE) message_size = MIN_MESSAGE;
}

// Option 43 of an INFORM: type and version, then what is given.
static void put_bsdp(uint8_t type, const uint8_t* more, size_t more_size) {
    uint8_t value[32] = {1, 1, type, 2, 2, 1, 1};
    size_t size = 7;
    if (settings.reply_port != CLIENT_PORT) {
        value[size++] = 5;
        value[size++] = 2;
        put16(value + size, settings.reply_port);
        size += 2;
    }
    memcpy(value + size, more, more_size);
    put_octets(43, value, size + more_size);
}

// Replies

typedef struct {
    const uint8_t* at;
    size_t size;
} Octets;

// The option at `at`, which moves on behind it; false at the end, or where one runs past it.
static bool next_option(Octets reply, size_t* at, uint8_t* code, Octets* value) {
    while (*at < reply.size && reply.at[*at] == 0) ++*at;
    if (*at + 2 > reply.size || reply.at[*at] == 255) return false;
    *code = reply.at[*at];
    value->at = reply.at + *at + 2;
    value->size = reply.at[*at + 1];
    *at += 2 + value->size;
    return *at <= reply.size;
}

// The value of an option; several instances are one value (RFC 3396), put together in `room` of 1500 octets.
static bool find_option(Octets reply, uint8_t wanted, uint8_t* room, Octets* value) {
    value->at = room;
    value->size = 0;
    bool found = false;
    uint8_t code = 0;
    Octets instance;
    for (size_t at = BOOTP_FIXED + 4; next_option(reply, &at, &code, &instance);) {
        if (code != wanted) continue;
        found = true;
        memcpy(room + value->size, instance.at, instance.size);
        value->size += instance.size;
    }
    return found;
}

static uint8_t option_room[1500];

static uint32_t address_option(Octets reply, uint8_t code) {
    Octets value;
    return find_option(reply, code, option_room, &value) && value.size >= 4 ? get32(value.at) : 0;
}

static uint8_t type_of(Octets reply) {
    Octets value;
    return find_option(reply, 53, option_room, &value) && value.size == 1 ? value.at[0] : 0;
}

// Whether the class is exactly Apple's, which tells BSDP's answers from a DHCP server's.
static bool is_bsdp(Octets reply) {
    Octets value;
    return find_option(reply, 60, option_room, &value) && value.size == 9 &&
           memcmp(value.at, "AAPLBSDPC", 9) == 0;
}

static bool is_answer(Octets reply) {
    return reply.size >= BOOTP_FIXED + 4 && reply.size <= MAX_MESSAGE && reply.at[0] == 2 &&
           memcmp(reply.at + 4, message + 4, 4) == 0 &&
           memcmp(reply.at + 28, card.mac, sizeof card.mac) == 0 && get32(reply.at + BOOTP_FIXED) == COOKIE;
}

// The next answer to the message that was sent, before the alarm rings.
static bool next_answer(uint16_t port, Octets* reply) {
    Datagram datagram;
    while (udp_receive(port, &datagram)) {
        reply->at = datagram.payload;
        reply->size = datagram.size;
        if (is_answer(*reply)) return true;
    }
    return false;
}

// DHCP

typedef struct {
    uint32_t address;
    uint32_t server;
} Offer;

static bool hear_offer(Offer* offer) {
    Octets reply;
    while (next_answer(CLIENT_PORT, &reply)) {
        if (type_of(reply) != OFFER) continue;
        offer->address = get32(reply.at + 16);
        offer->server = address_option(reply, 54);
        // A BSDP server that answers DISCOVER offers an image and no address.
        if (offer->address != 0 && offer->server != 0) return true;
    }
    return false;
}

// 0: silence, else ACK or NAK.
static uint8_t hear_ack(const Offer* offer) {
    Octets reply;
    while (next_answer(CLIENT_PORT, &reply)) {
        const uint8_t type = type_of(reply);
        if (type == ACK && get32(reply.at + 16) == offer->address) {
            card.mask = address_option(reply, 1);
            card.router = address_option(reply, 3);
            return ACK;
        }
        if (type == NAK) return NAK;
    }
    return 0;
}

static bool request(const Offer* offer) {
    begin_message(REQUEST);
    put_address(50, offer->address);
    put_address(54, offer->server);
    end_message();
    for (uint32_t wait = FIRST_WAIT, left = TRIES; left != 0; --left, wait *= 2) {
        udp_send(CLIENT_PORT, BROADCAST, SERVER_PORT, message, message_size);
        alarm_in(wait);
        const uint8_t type = hear_ack(offer);
        if (type == NAK) say("%a takes its offer of %a back", offer->server, offer->address);
        if (type != 0) return type == ACK;
    }
    return false;
}

void take_address(void) {
    Offer offer;
    for (uint32_t wait = FIRST_WAIT, left = TRIES; left != 0; --left, wait *= 2) {
        begin_message(DISCOVER);
        put_octets(43, "\x02\x02\x01\x01", 4);
        end_message();
        udp_send(CLIENT_PORT, BROADCAST, SERVER_PORT, message, message_size);
        alarm_in(wait);
        if (!hear_offer(&offer) || !request(&offer)) continue;
        card.address = offer.address;
        if (card.mask == 0) card.mask = 0xffffff00;
        say("address %a from %a", card.address, offer.server);
        return;
    }
    fail("no DHCP server gives an address");
}

// BSDP

// One instance of option 43; false if a sub-option runs past its end.
static bool read_instance(const uint8_t* at, size_t size, uint8_t wanted, Octets* value, bool* found) {
    for (size_t place = 0; place < size && at[place] != 255;) {
        const uint8_t code = at[place];
        if (code == 0) {
            ++place;
            continue;
        }
        if (place + 2 > size || place + 2 + at[place + 1] > size) return false;
        // Of the image list every piece counts, of all others the first.
        if (code == wanted && (code == IMAGE_LIST || !*found)) {
            memcpy((uint8_t*)value->at + value->size, at + place + 2, at[place + 1]);
            value->size += at[place + 1];
            *found = true;
        }
        place += 2 + (size_t)at[place + 1];
    }
    return true;
}

// A sub-option of BSDP, as Apple's code reads it: every instance of option 43 by itself, never glued
// together.
static bool find_bsdp(Octets reply, uint8_t wanted, Octets* value) {
    static uint8_t room[MAX_MESSAGE];
    value->at = room;
    value->size = 0;
    bool found = false;
    uint8_t code = 0;
    Octets instance;
    for (size_t at = BOOTP_FIXED + 4; next_option(reply, &at, &code, &instance);) {
        if (code == 43 && !read_instance(instance.at, instance.size, wanted, value, &found)) return false;
    }
    return found;
}

static uint32_t bsdp_number(Octets reply, uint8_t code, size_t size) {
    Octets value;
    if (!find_bsdp(reply, code, &value) || value.size != size) return 0;
    return size == 1 ? value.at[0] : size == 2 ? get16(value.at) : get32(value.at);
}

// The next answer of a BSDP server; one of a DHCP server, which an INFORM gets too, is passed over.
static bool next_bsdp(Octets* reply) {
    static bool told;
    while (next_answer(settings.reply_port, reply)) {
        if (type_of(*reply) != ACK || get32(reply->at + 12) != card.address) continue;
        if (is_bsdp(*reply)) return true;
        if (!told) say("passed over an ACK of %a that is none of BSDP", address_option(*reply, 54));
        told = true;
    }
    return false;
}

typedef struct {
    uint32_t server;
    uint32_t priority;
    uint32_t default_id;
    uint32_t selected_id;
    Octets images;
    uint8_t room[1500];
} ImageList;

enum { MAX_LISTS = 8 };
static ImageList lists[MAX_LISTS];
static size_t list_count;

// The image at `at` of a list, as id and name; returns where the next one begins, 0 at the end.
static size_t image_at(Octets images, size_t at, uint32_t* id, char name[256]) {
    if (at + 5 > images.size || at + 5 + images.at[at + 4] > images.size) return 0;
    const size_t length = images.at[at + 4];
    *id = get32(images.at + at);
    memcpy(name, images.at + at + 5, length);
    name[length] = '\0';
    return at + 5 + length;
}

static void show(const ImageList* list) {
    uint32_t id = 0;
    char name[256];
    uint32_t count = 0;
    for (size_t at = 0; (at = image_at(list->images, at, &id, name)) != 0;) ++count;
    const char* images = count == 1 ? "image" : "images";
    if (list->selected_id == 0) {
        say("LIST from %a: %u %s, default %x", list->server, count, images, list->default_id);
    } else {
        say("LIST from %a: %u %s, default %x, selected %x", list->server, count, images, list->default_id,
            list->selected_id);
    }
    for (size_t at = 0; (at = image_at(list->images, at, &id, name)) != 0;) say("  %x %s", id, name);
}

static void take_list(Octets reply) {
    const uint32_t server = address_option(reply, 54);
    Octets images;
    if (bsdp_number(reply, 1, 1) != LIST || server == 0 || !find_bsdp(reply, IMAGE_LIST, &images)) return;
    for (size_t at = 0; at < list_count; ++at) {
        if (lists[at].server == server) return;
    }
    if (list_count == MAX_LISTS) return;
    ImageList* list = &lists[list_count++];
    list->server = server;
    list->images.at = list->room;
    list->images.size = images.size;
    memcpy(list->room, images.at, images.size);
    list->priority = bsdp_number(reply, 4, 2);
    list->default_id = bsdp_number(reply, 7, 4);
    list->selected_id = bsdp_number(reply, 8, 4);
    show(list);
}

static void gather_lists(void) {
    begin_message(INFORM);
    put_bsdp(LIST, NULL, 0);
    end_message();
    for (uint32_t wait = FIRST_WAIT, left = TRIES; left != 0 && list_count == 0; --left, wait *= 2) {
        udp_send(settings.reply_port, BROADCAST, SERVER_PORT, message, message_size);
        alarm_in(wait);
        Octets reply;
        while (next_bsdp(&reply)) {
            const bool first = list_count == 0;
            take_list(reply);
            if (first && list_count != 0) alarm_in(settings.gather);
        }
    }
    if (list_count == 0) fail("no BSDP server answers");
}

static bool parse_id(const char* text, uint32_t* id) {
    *id = 0;
    if (length_of(text) != 8) return false;
    for (; *text != '\0'; ++text) {
        uint32_t digit = 0;
        if (*text >= '0' && *text <= '9') {
            digit = (uint32_t)(*text - '0');
        } else if (*text >= 'a' && *text <= 'f') {
            digit = (uint32_t)(*text - 'a' + 10);
        } else {
            return false;
        }
        *id = *id << 4 | digit;
    }
    return true;
}

// Strictly greater: the first answer wins a tie.
static const ImageList* preferred(const ImageList* one, const ImageList* other) {
    return one == NULL || other->priority > one->priority ? other : one;
}

static Choice chosen_by_firmware(void) {
    const ImageList* bound = NULL;
    const ImageList* best = NULL;
    for (size_t at = 0; at < list_count; ++at) {
        if (lists[at].selected_id != 0) bound = preferred(bound, &lists[at]);
        if (lists[at].default_id != 0) best = preferred(best, &lists[at]);
    }
    if (bound != NULL) return (Choice){.server = bound->server, .id = bound->selected_id};
    if (best == NULL) fail("no server names a default image");
    return (Choice){.server = best->server, .id = best->default_id};
}

static Choice chosen_by_hand(void) {
    uint32_t wanted = 0;
    const bool by_id = parse_id(settings.choose, &wanted);
    const ImageList* best = NULL;
    Choice choice = {.id = wanted};
    for (size_t each = 0; each < list_count; ++each) {
        uint32_t id = 0;
        char name[256];
        for (size_t at = 0; (at = image_at(lists[each].images, at, &id, name)) != 0;) {
            if (by_id ? id != wanted : !same_text(name, settings.choose)) continue;
            best = preferred(best, &lists[each]);
            if (best == &lists[each]) choice.id = id;
        }
    }
    if (best == NULL && !by_id) fail("no image is called '%s'", settings.choose);
    if (best == NULL) {
        // A Mac may have kept a choice that is no longer offered; what the server says to it is worth seeing.
        say("nobody lists %x; it is asked for nevertheless", wanted);
        for (size_t each = 0; each < list_count; ++each) best = preferred(best, &lists[each]);
    }
    choice.server = best->server;
    return choice;
}

Choice choose_image(void) {
    gather_lists();
    Choice choice = same_text(settings.choose, "default") ? chosen_by_firmware() : chosen_by_hand();
    for (size_t each = 0; each < list_count; ++each) {
        uint32_t id = 0;
        char name[256];
        if (lists[each].server != choice.server) continue;
        for (size_t at = 0; (at = image_at(lists[each].images, at, &id, name)) != 0;) {
            if (id == choice.id) memcpy(choice.name, name, sizeof name);
        }
    }
    say("chose %x %s of %a", choice.id, choice.name, choice.server);
    return choice;
}

BootFile select_image(const Choice* choice) {
    begin_message(INFORM);
    uint8_t more[12] = {3, 4, 0, 0, 0, 0, 8, 4};
    put32(more + 2, choice->server);
    put32(more + 8, choice->id);
    put_bsdp(SELECT, more, sizeof more);
    end_message();
    for (uint32_t wait = FIRST_WAIT, left = TRIES; left != 0; --left, wait *= 2) {
        udp_send(settings.reply_port, BROADCAST, SERVER_PORT, message, message_size);
        alarm_in(wait);
        Octets reply;
        while (next_bsdp(&reply)) {
            if (address_option(reply, 54) != choice->server) continue;
            const uint32_t type = bsdp_number(reply, 1, 1);
            if (type == FAILED) fail("%a refuses image %x: ACK[FAILED]", choice->server, choice->id);
            if (type != SELECT) continue;
            BootFile file = {.server = get32(reply.at + 20)};
            memcpy(file.path, reply.at + 108, 128);
            if (file.server == 0) file.server = choice->server;
            if (file.path[0] == '\0') fail("%a names no boot file for %x", choice->server, choice->id);
            say("SELECT: file %s", file.path);
            return file;
        }
    }
    fail("%a does not answer SELECT", choice->server);
}

// TFTP

enum {
    RRQ = 1,
    DATA = 3,
    TFTP_ACK = 4,
    ERROR = 5,
    OACK = 6,
    BLOCK_SIZE = 1456,
    UNKNOWN_SIZE = 16 << 20,
    LARGEST = 256 << 20
};

typedef struct {
    const BootFile* file;
    uint16_t port;
    uint16_t peer;  // 0 until the server has answered
    uint8_t last[256];
    size_t last_size;
    size_t block_size;
    uint32_t block;
    size_t room;
    bool complete;
    Download download;
} Transfer;

static uint32_t decimal(const uint8_t* text, size_t size) {
    uint32_t value = 0;
    for (size_t at = 0; at < size; ++at) {
        if (text[at] < '0' || text[at] > '9' || value > LARGEST) return 0;
        value = value * 10 + (uint32_t)(text[at] - '0');
    }
    return value;
}

static size_t append(uint8_t* to, size_t at, const char* text) {
    const size_t size = length_of(text) + 1;
    memcpy(to + at, text, size);
    return at + size;
}

static void ask(Transfer* transfer) {
    put16(transfer->last, RRQ);
    size_t size = append(transfer->last, 2, transfer->file->path);
    static const char* const words[] = {"octet", "blksize", "1456", "tsize", "0"};
    for (size_t at = 0; at < sizeof words / sizeof words[0]; ++at)
        size = append(transfer->last, size, words[at]);
    transfer->last_size = size;
}

static void acknowledge(Transfer* transfer) {
    put16(transfer->last, TFTP_ACK);
    put16(transfer->last + 2, transfer->block & 0xffff);
    transfer->last_size = 4;
}

static bool is_word(const uint8_t* at, size_t size, const char* word) {
    if (size != length_of(word)) return false;
    for (size_t each = 0; each < size; ++each) {
        if ((at[each] | 0x20) != (uint8_t)word[each]) return false;
    }
    return true;
}

static void take_oack(Transfer* transfer, const uint8_t* at, size_t size) {
    const uint8_t* key = NULL;
    size_t key_size = 0;
    for (size_t begin = 0, end = 0; end < size; ++end) {
        if (at[end] != 0) continue;
        const uint8_t* word = at + begin;
        const size_t length = end - begin;
        begin = end + 1;
        if (key == NULL) {
            key = word;
            key_size = length;
            continue;
        }
        const uint32_t value = decimal(word, length);
        if (is_word(key, key_size, "blksize")) {
            if (value < 8 || value > BLOCK_SIZE) fail("the TFTP server grants a blksize of %u", value);
            transfer->block_size = value;
        }
        if (is_word(key, key_size, "tsize") && value != 0) {
            if (value > LARGEST) fail("a boot file of %u bytes is too long", value);
            transfer->room = value;
        }
        key = NULL;
    }
}

// Handles one packet of the server; true when it brought the transfer on.
static bool take_packet(Transfer* transfer, const uint8_t* at, size_t size) {
    if (size < 4) return false;
    const uint16_t kind = get16(at);
    if (kind == ERROR) {
        char text[80] = "";
        for (size_t each = 4; each < size && each - 4 < sizeof text - 1; ++each)
            text[each - 4] = (char)at[each];
        fail("TFTP error %u: %s", (uint32_t)get16(at + 2), text);
    }
    if (kind == OACK && transfer->block == 0) {
        take_oack(transfer, at + 2, size - 2);
        acknowledge(transfer);
        return true;
    }
    // The block before once more means that our ACK was lost; the alarm repeats it soon enough.
    if (kind != DATA || get16(at + 2) != ((transfer->block + 1) & 0xffff)) return false;
    const size_t length = size - 4;
    if (length > transfer->block_size) fail("a TFTP block of %u bytes", (uint32_t)length);
    if (transfer->download.content == NULL) transfer->download.content = allocate(transfer->room);
    if (length > transfer->room - transfer->download.size)
        fail("the boot file is longer than its server said");
    memcpy(transfer->download.content + transfer->download.size, at + 4, length);
    transfer->download.size += length;
    ++transfer->block;
    acknowledge(transfer);
    transfer->complete = length < transfer->block_size;
    return true;
}

// Waits for a packet that brings the transfer on; false when the alarm rang first.
static bool hear_packet(Transfer* transfer) {
    Datagram datagram;
    while (udp_receive(transfer->port, &datagram)) {
        if (datagram.source != transfer->file->server) continue;
        if (transfer->peer == 0) transfer->peer = datagram.source_port;
        if (datagram.source_port == transfer->peer && take_packet(transfer, datagram.payload, datagram.size))
            return true;
    }
    return false;
}

Download download(const BootFile* file) {
    static Transfer transfer;
    transfer.file = file;
    transfer.port = (uint16_t)(49'152 + random_number() % 16'384);
    transfer.block_size = 512;
    transfer.room = UNKNOWN_SIZE;
    ask(&transfer);
    uint32_t wait = 1000;
    for (uint32_t left = 6; left != 0;) {
        if (!udp_send(transfer.port, file->server, transfer.peer == 0 ? TFTP_PORT : transfer.peer,
                      transfer.last, transfer.last_size)) {
            break;
        }
        if (transfer.complete) {
            say("loaded %u bytes from %a", (uint32_t)transfer.download.size, file->server);
            return transfer.download;
        }
        alarm_in(wait);
        if (hear_packet(&transfer)) {
            left = 6;
            wait = 1000;
        } else {
            --left;
            wait *= 2;
        }
    }
    fail("the transfer from %a stopped after block %u", file->server, transfer.block);
}
