// What \imac.cfg says: one `key=value` on a line, `#` begins a comment. README.md lists the keys.
#ifndef IMAC_SETTINGS_H
#define IMAC_SETTINGS_H

#include "firmware.h"

typedef struct {
    char model[48];
    char choose[256];     // an id in hexadecimal, the name of an image, or "default"
    uint16_t reply_port;  // 68: not named in the request, as firmware does
    uint32_t gather;      // milliseconds for the lists of further servers
    bool wifi;
    bool device_path;
    bool keep_card;
} Settings;

extern Settings settings;

void read_settings(Handle device);

#endif
