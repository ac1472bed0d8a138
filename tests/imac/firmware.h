// What every part of the program needs of the firmware: a line on the console, memory, and a clock.
#ifndef IMAC_FIRMWARE_H
#define IMAC_FIRMWARE_H

#include "uefi.h"

extern SystemTable* firmware;
extern Handle ourselves;

// One line, "imac: " before it. %s text, %u decimal, %x eight hexadecimal digits, %a IPv4 address as a number
// in host order, %m six octets of a MAC address, %r a Status in words or its number.
void say(const char* format, ...);

// The last words, then the machine is off, so that whoever waits for it is told at once.
[[noreturn]] void power_off(void);
#define fail(...) (say("FAILED: " __VA_ARGS__), power_off())

void* allocate(size_t size);

void* memcpy(void* to, const void* from, size_t size);
void* memset(void* to, int value, size_t size);
int memcmp(const void* left, const void* right, size_t size);
size_t length_of(const char* text);
bool same_text(const char* left, const char* right);

// One alarm at a time is enough here: waiting is never nested but for ARP, which starts its own anew.
void alarm_in(uint32_t milliseconds);
bool alarm_rang(void);
// Gives the processor away for up to a tick of the firmware's timer.
void idle(void);
uint32_t random_number(void);

#endif
