// The network card, and as much of ARP, IPv4 and UDP as a boot takes. Addresses are numbers in host order.
#ifndef IMAC_CARD_H
#define IMAC_CARD_H

#include "firmware.h"

typedef struct {
    uint8_t mac[6];
    uint32_t address;  // 0 while there is none
    uint32_t mask;
    uint32_t router;  // 0 when there is none
    Handle handle;
    const DevicePath* path;
} Card;

extern Card card;

enum { MAX_PAYLOAD = 1472 };
enum : uint32_t { BROADCAST = 0xffffffff };

// Takes the first card whose device path ends in a MAC node away from every driver of the firmware.
void card_open(void);
// Gives it back, stopped, as it is before a program starts that brings a driver of its own.
void card_release(void);

typedef struct {
    uint32_t source;
    uint16_t source_port;
    const uint8_t* payload;  // valid until the next call
    size_t size;
} Datagram;

// False when the link address of the destination is not to be had.
bool udp_send(uint16_t source_port, uint32_t to, uint16_t to_port, const void* payload, size_t size);
// The next datagram to `port` before the alarm rings. Requests for our link address are answered meanwhile.
bool udp_receive(uint16_t port, Datagram* datagram);

static inline uint16_t get16(const uint8_t* at) {
    return (uint16_t)(at[0] << 8 | at[1]);
}
static inline uint32_t get32(const uint8_t* at) {
    return (uint32_t)get16(at) << 16 | get16(at + 2);
}
static inline void put16(uint8_t* at, uint32_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}
static inline void put32(uint8_t* at, uint32_t value) {
    put16(at, value >> 16);
    put16(at + 2, value);
}

#endif
