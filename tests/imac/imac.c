// A Mac's firmware from the network's point of view, as a program for any UEFI: it boots as NetBoot does and
// starts what it was given. README.md says what it models.
#include "card.h"
#include "netboot.h"
#include "settings.h"
#include "wifi.h"

#if defined(__x86_64__)
enum { CPU_TYPE = 0x01000007 };
static const char width[] = "x86_64";
#else
enum { CPU_TYPE = 0x00000007 };
static const char width[] = "ia32";
#endif

static uint32_t little32(const uint8_t* at) {
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

// Our width of Apple's universal container, or the whole when it is none.
static Download own_slice(Download whole) {
    enum { MAGIC = 0x0ef1fab9, HEADER = 8, ENTRY = 20 };
    if (whole.size < HEADER || little32(whole.content) != MAGIC) return whole;
    const uint32_t count = little32(whole.content + 4);
    for (uint32_t at = 0; at < count && HEADER + (size_t)(at + 1) * ENTRY <= whole.size; ++at) {
        const uint8_t* entry = whole.content + HEADER + (size_t)at * ENTRY;
        if (little32(entry) != CPU_TYPE) continue;
        const uint32_t offset = little32(entry + 8);
        const uint32_t size = little32(entry + 12);
        if (offset > whole.size || size > whole.size - offset)
            fail("the %s slice reaches beyond the file", width);
        say("slice %u of %u for %s: %u bytes", at + 1, count, width, size);
        return (Download){.content = whole.content + offset, .size = size};
    }
    fail("none of %u slices is for %s", count, width);
}

Status efi_main(Handle image, SystemTable* system);

Status efi_main(Handle image, SystemTable* system) {
    firmware = system;
    ourselves = image;
    void* loaded = NULL;
    const Status found = system->boot->handle_protocol(image, &loaded_image_guid, &loaded);
    if (found != SUCCESS) fail("who started us is not to be had: %r", found);
    read_settings(((LoadedImage*)loaded)->device);
    say("a virtual %s, %s", settings.model, width);

    card_open();
    take_address();
    const Choice choice = choose_image();
    const BootFile file = select_image(&choice);
    const Download program = own_slice(download(&file));

    Handle started = NULL;
    Status status = system->boot->load_image(false, image, settings.device_path ? card.path : NULL,
                                             program.content, program.size, &started);
    if (status != SUCCESS) fail("the firmware does not take the program: %r", status);
    if (!settings.keep_card) card_release();
    if (settings.wifi) install_wifi();
    say("starting");
    status = system->boot->start_image(started, NULL, NULL);
    say("the program came back: %r", status);
    power_off();
}
