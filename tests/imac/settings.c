#include "settings.h"

Settings settings = {
    .model = "iMac9,1", .choose = "default", .reply_port = 68, .gather = 1000, .device_path = true};

static bool parse_number(const char* text, uint32_t least, uint32_t most, uint32_t* value) {
    uint32_t number = 0;
    if (*text == '\0') return false;
    for (; *text != '\0'; ++text) {
        if (*text < '0' || *text > '9' || number > 100'000) return false;
        number = number * 10 + (uint32_t)(*text - '0');
    }
    *value = number;
    return number >= least && number <= most;
}

static bool parse_text(const char* text, char* value, size_t room) {
    const size_t length = length_of(text);
    if (length == 0 || length >= room) return false;
    memcpy(value, text, length + 1);
    return true;
}

static bool parse_switch(const char* text, bool* value) {
    *value = same_text(text, "on");
    return *value || same_text(text, "off");
}

static bool take(const char* key, const char* value) {
    uint32_t number = 0;
    if (same_text(key, "model")) return parse_text(value, settings.model, sizeof settings.model);
    if (same_text(key, "choose")) return parse_text(value, settings.choose, sizeof settings.choose);
    if (same_text(key, "wifi")) return parse_switch(value, &settings.wifi);
    if (same_text(key, "device-path")) return parse_switch(value, &settings.device_path);
    if (same_text(key, "keep-card")) return parse_switch(value, &settings.keep_card);
    if (same_text(key, "gather")) return parse_number(value, 0, 60'000, &settings.gather);
    if (same_text(key, "reply-port")) {
        if (!parse_number(value, 1, 65'535, &number)) return false;
        settings.reply_port = (uint16_t)number;
        return true;
    }
    return false;
}

static bool is_space(char letter) {
    return letter == ' ' || letter == '\t' || letter == '\r';
}

// Cuts the blanks off both ends of [begin, end), puts a zero behind, and returns the new beginning.
static char* trimmed(char* begin, char* end) {
    while (begin < end && is_space(*begin)) ++begin;
    while (end > begin && is_space(end[-1])) --end;
    *end = '\0';
    return begin;
}

static void take_line(char* begin, char* end) {
    char* equals = begin;
    while (equals < end && *equals != '=') ++equals;
    if (equals == end) {
        char* line = trimmed(begin, end);
        if (*line != '\0' && *line != '#') fail("imac.cfg: '%s' is no key=value", line);
        return;
    }
    char* key = trimmed(begin, equals);
    char* value = trimmed(equals + 1, end);
    if (*key != '#' && !take(key, value)) fail("imac.cfg: '%s=%s' is no setting; see README.md", key, value);
}

void read_settings(Handle device) {
    void* volume = NULL;
    File* root = NULL;
    File* file = NULL;
    static const uint16_t name[] = u"\\imac.cfg";
    if (firmware->boot->handle_protocol(device, &file_system_guid, &volume) != SUCCESS ||
        ((FileSystem*)volume)->open_volume(volume, &root) != SUCCESS ||
        root->open(root, &file, name, FILE_READ, 0) != SUCCESS) {
        say("no imac.cfg beside this program; the usual settings");
        return;
    }
    static char text[4096];
    size_t size = sizeof text - 1;
    const Status status = file->read(file, &size, text);
    if (status != SUCCESS || size == sizeof text - 1)
        fail("imac.cfg is not readable or too long: %r", status);
    file->close(file);
    root->close(root);
    text[size] = '\n';
    for (size_t begin = 0, at = 0; at <= size; ++at) {
        if (text[at] != '\n') continue;
        take_line(text + begin, text + at);
        begin = at + 1;
    }
}
