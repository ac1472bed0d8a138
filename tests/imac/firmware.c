#include "firmware.h"

#include <stdarg.h>

SystemTable* firmware;
Handle ourselves;

const Guid loaded_image_guid = {0x5b1b31a1, 0x9562, 0x11d2, {0x8e, 0x3f, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};
const Guid device_path_guid = {0x09576e91, 0x6d3f, 0x11d2, {0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};
const Guid file_system_guid = {0x964e5b22, 0x6459, 0x11d2, {0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};
const Guid simple_network_guid = {
    0xa19832b9, 0xac25, 0x11d3, {0x9a, 0x2d, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d}};

// The compiler calls these three even in a program without a library.

void* memcpy(void* to, const void* from, size_t size) {
    uint8_t* out = to;
    const uint8_t* in = from;
    while (size-- != 0) *out++ = *in++;
    return to;
}

void* memset(void* to, int value, size_t size) {
    uint8_t* out = to;
    while (size-- != 0) *out++ = (uint8_t)value;
    return to;
}

int memcmp(const void* left, const void* right, size_t size) {
    const uint8_t* a = left;
    const uint8_t* b = right;
    for (; size != 0; --size, ++a, ++b) {
        if (*a != *b) return *a < *b ? -1 : 1;
    }
    return 0;
}

size_t length_of(const char* text) {
    size_t length = 0;
    while (text[length] != '\0') ++length;
    return length;
}

bool same_text(const char* left, const char* right) {
    const size_t length = length_of(left);
    return length == length_of(right) && memcmp(left, right, length) == 0;
}

typedef struct {
    uint16_t text[256];
    size_t length;
} Line;

static void put(Line* line, char letter) {
    if (line->length + 3 < sizeof line->text / sizeof line->text[0]) {
        // Names come from the network; the console gets nothing that could move its cursor.
        const bool plain = letter == '\r' || letter == '\n' || (letter >= ' ' && letter <= '~');
        line->text[line->length++] = (uint16_t)(plain ? letter : '?');
    }
}

static void put_text(Line* line, const char* text) {
    while (*text != '\0') put(line, *text++);
}

static void put_decimal(Line* line, uint32_t value) {
    char digits[10];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (count != 0) put(line, digits[--count]);
}

static void put_hex(Line* line, uint32_t value, int digits) {
    while (digits-- != 0) put(line, "0123456789abcdef"[(value >> (4 * digits)) & 15]);
}

static void put_status(Line* line, Status status) {
    // Appendix D of the specification; those that the calls here can end with.
    static const char* const words[] = {
        "success",         "load error",       "invalid parameter", "unsupported",
        "bad buffer size", "buffer too small", "not ready",         "device error",
        "write protected", "out of resources", "volume corrupted",  "volume full",
        "no media",        "media changed",    "not found",         "access denied"};
    const Status code = status & ~STATUS_ERROR(0);
    if (code < sizeof words / sizeof words[0]) return put_text(line, words[code]);
    put_text(line, "status ");
    put_decimal(line, (uint32_t)code);
}

void say(const char* format, ...) {
    static Line line;
    line.length = 0;
    va_list more;
    va_start(more, format);
    put_text(&line, "imac: ");
    for (; *format != '\0'; ++format) {
        if (*format != '%') {
            put(&line, *format);
            continue;
        }
        switch (*++format) {
            case 's':
                put_text(&line, va_arg(more, const char*));
                break;
            case 'u':
                put_decimal(&line, va_arg(more, uint32_t));
                break;
            case 'x':
                put_hex(&line, va_arg(more, uint32_t), 8);
                break;
            case 'r':
                put_status(&line, va_arg(more, Status));
                break;
            case 'a': {
                const uint32_t address = va_arg(more, uint32_t);
                for (int shift = 24; shift >= 0; shift -= 8) {
                    put_decimal(&line, (address >> shift) & 255);
                    if (shift != 0) put(&line, '.');
                }
                break;
            }
            case 'm': {
                const uint8_t* octets = va_arg(more, const uint8_t*);
                for (int at = 0; at < 6; ++at) {
                    if (at != 0) put(&line, ':');
                    put_hex(&line, octets[at], 2);
                }
                break;
            }
            default:
                put(&line, *format);
                break;
        }
    }
    va_end(more);
    line.text[line.length++] = '\r';
    line.text[line.length++] = '\n';
    line.text[line.length] = 0;
    firmware->console_out->output_string(firmware->console_out, line.text);
}

void power_off(void) {
    firmware->runtime->reset_system(RESET_SHUTDOWN, SUCCESS, 0, NULL);
    for (;;) firmware->boot->stall(1'000'000);
}

void* allocate(size_t size) {
    void* memory = NULL;
    const Status status = firmware->boot->allocate_pool(LOADER_DATA, size, &memory);
    if (status != SUCCESS) fail("no memory for %u bytes: %r", (uint32_t)size, status);
    return memory;
}

static Event new_timer(void) {
    Event event = NULL;
    const Status status = firmware->boot->create_event(EVENT_TIMER, 0, NULL, NULL, &event);
    if (status != SUCCESS) fail("no timer: %r", status);
    return event;
}

static Event alarm_event;

void alarm_in(uint32_t milliseconds) {
    if (alarm_event == NULL) alarm_event = new_timer();
    // An alarm that rang before and was not asked is forgotten with this.
    firmware->boot->check_event(alarm_event);
    firmware->boot->set_timer(alarm_event, TIMER_RELATIVE, (uint64_t)milliseconds * 10'000);
}

bool alarm_rang(void) {
    return firmware->boot->check_event(alarm_event) == SUCCESS;
}

void idle(void) {
    static Event tick;
    if (tick == NULL) tick = new_timer();
    size_t index = 0;
    firmware->boot->set_timer(tick, TIMER_RELATIVE, 10'000);
    firmware->boot->wait_for_event(1, &tick, &index);
}

uint32_t random_number(void) {
    static uint32_t state;
    state = (state ^ (uint32_t)__builtin_readcyclecounter()) * 2654435761u + 1;
    return state ^ state >> 15;
}
