// A wireless card as some Macs show one: it is there, it starts, and it cannot send.
#ifndef IMAC_WIFI_H
#define IMAC_WIFI_H

// Installed last, it is the first that GRUB lists.
void install_wifi(void);

#endif
