// The steps of Apple's NetBoot firmware on the wire: DHCP, BSDP, TFTP. Each ends the machine when it fails.
#ifndef IMAC_NETBOOT_H
#define IMAC_NETBOOT_H

#include "firmware.h"

typedef struct {
    uint32_t server;
    uint32_t id;
    char name[256];
} Choice;

typedef struct {
    uint32_t server;
    char path[129];
} BootFile;

typedef struct {
    uint8_t* content;
    size_t size;
} Download;

void take_address(void);
Choice choose_image(void);
BootFile select_image(const Choice* choice);
Download download(const BootFile* file);

#endif
