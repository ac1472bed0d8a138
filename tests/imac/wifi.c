#include "wifi.h"

#include "firmware.h"

enum { ETHERNET = 1 };

static NetworkMode mode = {
    .state = CARD_STOPPED,
    .address_size = 6,
    .header_size = 14,
    .max_packet_size = 1500,
    .filter_mask = FILTER_UNICAST | FILTER_BROADCAST,
    .current_address = {{0x02, 0x57, 0x49, 0x46, 0x49, 0x01}},
    .broadcast_address = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
    .permanent_address = {{0x02, 0x57, 0x49, 0x46, 0x49, 0x01}},
    .interface_type = ETHERNET,
    .media_present_supported = true,
    .media_present = true,
};

static Status start(SimpleNetwork* self) {
    if (self->mode->state != CARD_STOPPED) return ALREADY_STARTED;
    self->mode->state = CARD_STARTED;
    return SUCCESS;
}

static Status stop(SimpleNetwork* self) {
    if (self->mode->state == CARD_STOPPED) return NOT_STARTED;
    self->mode->state = CARD_STOPPED;
    return SUCCESS;
}

static Status initialize(SimpleNetwork* self, size_t extra_receive, size_t extra_transmit) {
    (void)extra_receive;
    (void)extra_transmit;
    if (self->mode->state == CARD_STOPPED) return NOT_STARTED;
    self->mode->state = CARD_INITIALIZED;
    return SUCCESS;
}

static Status reset(SimpleNetwork* self, uint8_t extended) {
    (void)extended;
    return self->mode->state == CARD_INITIALIZED ? SUCCESS : NOT_STARTED;
}

static Status shut_down(SimpleNetwork* self) {
    if (self->mode->state != CARD_INITIALIZED) return NOT_STARTED;
    self->mode->state = CARD_STARTED;
    return SUCCESS;
}

static Status receive_filters(SimpleNetwork* self, uint32_t enable, uint32_t disable, uint8_t reset_multicast,
                              size_t count, LinkAddress* multicast) {
    (void)reset_multicast;
    (void)count;
    (void)multicast;
    if (self->mode->state != CARD_INITIALIZED) return NOT_STARTED;
    // Some wireless cards refuse what a card on a cable takes; this one refuses promiscuous and multicast
    // reception.
    if ((enable & ~self->mode->filter_mask) != 0) return INVALID_PARAMETER;
    self->mode->filter_setting = (self->mode->filter_setting | enable) & ~disable;
    return SUCCESS;
}

static Status station_address(SimpleNetwork* self, uint8_t back, LinkAddress* address) {
    (void)self;
    (void)back;
    (void)address;
    return UNSUPPORTED;
}

static Status statistics(SimpleNetwork* self, uint8_t back, size_t* size, void* table) {
    (void)self;
    (void)back;
    (void)size;
    (void)table;
    return UNSUPPORTED;
}

static Status multicast_ip_to_mac(SimpleNetwork* self, uint8_t ipv6, void* ip, LinkAddress* mac) {
    (void)self;
    (void)ipv6;
    (void)ip;
    (void)mac;
    return UNSUPPORTED;
}

static Status nvram(SimpleNetwork* self, uint8_t read, size_t offset, size_t size, void* buffer) {
    (void)self;
    (void)read;
    (void)offset;
    (void)size;
    (void)buffer;
    return UNSUPPORTED;
}

static Status get_status(SimpleNetwork* self, uint32_t* interrupts, void** transmitted) {
    if (self->mode->state != CARD_INITIALIZED) return NOT_STARTED;
    if (interrupts != NULL) *interrupts = 0;
    if (transmitted != NULL) *transmitted = NULL;
    return SUCCESS;
}

static Status transmit(SimpleNetwork* self, size_t header_size, size_t size, void* frame, LinkAddress* source,
                       LinkAddress* destination, uint16_t* protocol) {
    (void)header_size;
    (void)size;
    (void)frame;
    (void)source;
    (void)destination;
    (void)protocol;
    return self->mode->state == CARD_INITIALIZED ? DEVICE_ERROR : NOT_STARTED;
}

static Status receive(SimpleNetwork* self, size_t* header_size, size_t* size, void* frame,
                      LinkAddress* source, LinkAddress* destination, uint16_t* protocol) {
    (void)header_size;
    (void)size;
    (void)frame;
    (void)source;
    (void)destination;
    (void)protocol;
    return self->mode->state == CARD_INITIALIZED ? NOT_READY : NOT_STARTED;
}

static SimpleNetwork network = {
    .revision = 0x00010000,
    .start = start,
    .stop = stop,
    .initialize = initialize,
    .reset = reset,
    .shutdown = shut_down,
    .receive_filters = receive_filters,
    .station_address = station_address,
    .statistics = statistics,
    .multicast_ip_to_mac = multicast_ip_to_mac,
    .nvram = nvram,
    .get_status = get_status,
    .transmit = transmit,
    .receive = receive,
    .mode = &mode,
};

// A vendor's node that says "imac-wifi-card-1", a MAC node, the end.
static const uint8_t path[] = {
    PATH_HARDWARE,
    PATH_VENDOR,
    20,
    0,
    'i',
    'm',
    'a',
    'c',
    '-',
    'w',
    'i',
    'f',
    'i',
    '-',
    'c',
    'a',
    'r',
    'd',
    '-',
    '1',
    PATH_MESSAGING,
    PATH_MAC,
    37,
    0,
    0x02,
    0x57,
    0x49,
    0x46,
    0x49,
    0x01,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    ETHERNET,
    PATH_END,
    PATH_END_ENTIRE,
    4,
    0,
};

void install_wifi(void) {
    Handle handle = NULL;
    Status status = firmware->boot->install_protocol_interface(&handle, &device_path_guid, 0, (void*)path);
    if (status == SUCCESS) {
        status = firmware->boot->install_protocol_interface(&handle, &simple_network_guid, 0, &network);
    }
    if (status != SUCCESS) fail("the wireless card is not installed: %r", status);
    say("wifi card %m in front, which cannot send", mode.current_address.octets);
}
