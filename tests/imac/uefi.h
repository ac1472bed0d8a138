// The part of UEFI that this program touches, written from the UEFI Specification 2.10 (sections 4.3, 7, 8.5,
// 9, 10, 12.4, 13, 24.1). A member that nobody here calls is a plain pointer: it only holds its place in the
// table. All values are little endian, as the processor is; strings are UCS-2 with a zero behind.
#ifndef IMAC_UEFI_H
#define IMAC_UEFI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The triples of the build make the compiler's own calling convention the one of UEFI on both widths.
typedef size_t Status;
typedef void* Handle;
typedef void* Event;
typedef void* Unused;

#define STATUS_ERROR(code) ((Status)(code) | ((Status)1 << (sizeof(Status) * 8 - 1)))
enum { SUCCESS = 0 };
#define INVALID_PARAMETER STATUS_ERROR(2)
#define UNSUPPORTED STATUS_ERROR(3)
#define NOT_READY STATUS_ERROR(6)
#define DEVICE_ERROR STATUS_ERROR(7)
#define NOT_STARTED STATUS_ERROR(19)
#define ALREADY_STARTED STATUS_ERROR(20)

typedef struct {
    uint32_t a;
    uint16_t b;
    uint16_t c;
    uint8_t d[8];
} Guid;

typedef struct {
    uint64_t signature;
    uint32_t revision;
    uint32_t size;
    uint32_t crc32;
    uint32_t reserved;
} TableHeader;

// 10.2: one node of a device path; `length` is in octets and includes these four.
typedef struct {
    uint8_t type;
    uint8_t subtype;
    uint8_t length[2];
} DevicePath;

enum {
    PATH_HARDWARE = 1,
    PATH_VENDOR = 4,
    PATH_MESSAGING = 3,
    PATH_MAC = 11,
    PATH_END = 0x7f,
    PATH_END_ENTIRE = 0xff
};

typedef struct TextOutput TextOutput;
struct TextOutput {
    Unused reset;
    Status (*output_string)(TextOutput* self, const uint16_t* text);
};

typedef struct {
    TableHeader header;
    Unused raise_tpl, restore_tpl, allocate_pages, free_pages, get_memory_map;
    Status (*allocate_pool)(uint32_t type, size_t size, void** memory);
    Status (*free_pool)(void* memory);
    Status (*create_event)(uint32_t type, size_t tpl, Unused notify, void* context, Event* event);
    // `when` is in units of 100 ns.
    Status (*set_timer)(Event event, uint32_t type, uint64_t when);
    Status (*wait_for_event)(size_t count, Event* events, size_t* index);
    Unused signal_event, close_event;
    Status (*check_event)(Event event);
    Status (*install_protocol_interface)(Handle* handle, const Guid* protocol, uint32_t type,
                                         void* interface);
    Unused reinstall_protocol_interface, uninstall_protocol_interface;
    Status (*handle_protocol)(Handle handle, const Guid* protocol, void** interface);
    Unused reserved, register_protocol_notify, locate_handle, locate_device_path, install_configuration_table;
    Status (*load_image)(uint8_t boot_policy, Handle parent, const DevicePath* path, const void* source,
                         size_t size, Handle* image);
    Status (*start_image)(Handle image, size_t* exit_data_size, uint16_t** exit_data);
    Unused exit, unload_image, exit_boot_services, get_next_monotonic_count;
    Status (*stall)(size_t microseconds);
    Unused set_watchdog_timer;
    Status (*connect_controller)(Handle controller, Handle* drivers, const DevicePath* remaining,
                                 uint8_t recursive);
    Unused disconnect_controller;
    Status (*open_protocol)(Handle handle, const Guid* protocol, void** interface, Handle agent,
                            Handle controller, uint32_t attributes);
    Status (*close_protocol)(Handle handle, const Guid* protocol, Handle agent, Handle controller);
    Unused open_protocol_information, protocols_per_handle;
    // `search` 0: every handle there is; 2: those with `protocol`.
    Status (*locate_handle_buffer)(uint32_t search, const Guid* protocol, void* key, size_t* count,
                                   Handle** handles);
} BootServices;

enum : uint32_t { LOADER_DATA = 2, EVENT_TIMER = 0x80000000, TIMER_RELATIVE = 2, OPEN_EXCLUSIVE = 0x20 };
enum : uint32_t { ALL_HANDLES = 0, BY_PROTOCOL = 2 };

typedef struct {
    TableHeader header;
    Unused get_time, set_time, get_wakeup_time, set_wakeup_time, set_virtual_address_map, convert_pointer,
        get_variable, get_next_variable_name, set_variable, get_next_high_monotonic_count;
    void (*reset_system)(uint32_t type, Status status, size_t size, void* data);
} RuntimeServices;

enum { RESET_SHUTDOWN = 2 };

typedef struct {
    TableHeader header;
    uint16_t* vendor;
    uint32_t revision;
    Handle console_in_handle;
    Unused console_in;
    Handle console_out_handle;
    TextOutput* console_out;
    Handle standard_error_handle;
    Unused standard_error;
    RuntimeServices* runtime;
    BootServices* boot;
} SystemTable;

typedef struct {
    uint32_t revision;
    Handle parent;
    SystemTable* system;
    Handle device;
} LoadedImage;

typedef struct File File;
struct File {
    uint64_t revision;
    Status (*open)(File* self, File** opened, const uint16_t* name, uint64_t mode, uint64_t attributes);
    Status (*close)(File* self);
    Unused delete;
    Status (*read)(File* self, size_t* size, void* buffer);
};

enum { FILE_READ = 1 };

typedef struct FileSystem FileSystem;
struct FileSystem {
    uint64_t revision;
    Status (*open_volume)(FileSystem* self, File** root);
};

// 24.1: an address of any link layer; Ethernet uses the first six octets.
typedef struct {
    uint8_t octets[32];
} LinkAddress;

typedef struct {
    uint32_t state;
    uint32_t address_size;
    uint32_t header_size;
    uint32_t max_packet_size;
    uint32_t nvram_size;
    uint32_t nvram_access_size;
    uint32_t filter_mask;
    uint32_t filter_setting;
    uint32_t max_multicast_filters;
    uint32_t multicast_filters;
    LinkAddress multicast[16];
    LinkAddress current_address;
    LinkAddress broadcast_address;
    LinkAddress permanent_address;
    uint8_t interface_type;
    uint8_t address_changeable;
    uint8_t multiple_transmissions;
    uint8_t media_present_supported;
    uint8_t media_present;
} NetworkMode;

enum { CARD_STOPPED = 0, CARD_STARTED = 1, CARD_INITIALIZED = 2 };
enum { FILTER_UNICAST = 1, FILTER_BROADCAST = 4 };

typedef struct SimpleNetwork SimpleNetwork;
struct SimpleNetwork {
    uint64_t revision;
    Status (*start)(SimpleNetwork* self);
    Status (*stop)(SimpleNetwork* self);
    Status (*initialize)(SimpleNetwork* self, size_t extra_receive, size_t extra_transmit);
    Status (*reset)(SimpleNetwork* self, uint8_t extended);
    Status (*shutdown)(SimpleNetwork* self);
    Status (*receive_filters)(SimpleNetwork* self, uint32_t enable, uint32_t disable, uint8_t reset_multicast,
                              size_t count, LinkAddress* multicast);
    Status (*station_address)(SimpleNetwork* self, uint8_t reset, LinkAddress* address);
    Status (*statistics)(SimpleNetwork* self, uint8_t reset, size_t* size, void* table);
    Status (*multicast_ip_to_mac)(SimpleNetwork* self, uint8_t ipv6, void* ip, LinkAddress* mac);
    Status (*nvram)(SimpleNetwork* self, uint8_t read, size_t offset, size_t size, void* buffer);
    Status (*get_status)(SimpleNetwork* self, uint32_t* interrupts, void** transmitted);
    Status (*transmit)(SimpleNetwork* self, size_t header_size, size_t size, void* frame, LinkAddress* source,
                       LinkAddress* destination, uint16_t* protocol);
    Status (*receive)(SimpleNetwork* self, size_t* header_size, size_t* size, void* frame,
                      LinkAddress* source, LinkAddress* destination, uint16_t* protocol);
    Event wait_for_packet;
    NetworkMode* mode;
};

extern const Guid loaded_image_guid;
extern const Guid device_path_guid;
extern const Guid file_system_guid;
extern const Guid simple_network_guid;

#endif
