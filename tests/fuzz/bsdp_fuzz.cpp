// Three games, chosen by the first octet. 'm': the rest is a DHCP message. 'v': the rest are instances of
// option 43, each behind its length. Both are read, written again field by field and read once more. 'l': the
// rest describes an image list and a room for it; what write_bsdp_list makes of them is held against Apple's
// packing.
#include "fuzz/require.hpp"

#include <pomona/codec/bsdp.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace {

using namespace pomona;
using codec::BsdpOption;
using fuzz::require;

void write_and_read_again(const codec::BsdpOptions& options) {
    std::vector<std::uint8_t> room(1u << 18);
    codec::DhcpWriter message(room, {}, "", "");
    const auto put = [&](auto&& write) {
        codec::BsdpWriter instance;
        write(instance);
        require(instance.ok(), "one sub-option fits an instance");
        message.option(codec::Option::vendor_specific, instance.value());
    };
    const auto put_text = [&](BsdpOption code, std::string_view text) {
        put([&](auto& to) { to.bytes(code, base::as_bytes(text)); });
    };
    const auto& o = options;
    if (o.message_type) put([&](auto& to) { to.u8(BsdpOption::message_type, *o.message_type); });
    if (o.version) put([&](auto& to) { to.u16(BsdpOption::version, *o.version); });
    if (o.server_identifier) {
        put([&](auto& to) { to.address(BsdpOption::server_identifier, *o.server_identifier); });
    }
    if (o.server_priority) put([&](auto& to) { to.u16(BsdpOption::server_priority, *o.server_priority); });
    if (o.reply_port) put([&](auto& to) { to.u16(BsdpOption::reply_port, *o.reply_port); });
    if (o.default_image) put([&](auto& to) { to.image(BsdpOption::default_boot_image, *o.default_image); });
    if (o.selected_image)
        put([&](auto& to) { to.image(BsdpOption::selected_boot_image, *o.selected_image); });
    if (o.netboot_1_0) put([&](auto& to) { to.bytes(BsdpOption::netboot_1_0_firmware, {}); });
    if (o.maximum_message_size) {
        put([&](auto& to) { to.u16(BsdpOption::maximum_message_size, *o.maximum_message_size); });
    }
    if (o.attributes_filter) {
        require(!o.attributes_filter->empty(), "a filter has elements");
        std::vector<std::uint8_t> filter(o.attributes_filter->size() * 2);
        base::ByteWriter writer(filter);
        for (const std::uint16_t attributes : *o.attributes_filter) writer.u16(attributes);
        put([&](auto& to) { to.bytes(BsdpOption::attributes_filter, filter); });
    }
    put_text(BsdpOption::shadow_mount_path, o.shadow_mount_path);
    put_text(BsdpOption::shadow_file_path, o.shadow_file_path);
    put_text(BsdpOption::machine_name, o.machine_name);
    if (o.image_list) {
        base::Bytes list(*o.image_list);
        do {
            const base::Bytes part = list.first(std::min<std::size_t>(list.size(), 253));
            list = list.subspan(part.size());
            put([&](auto& to) { to.bytes(BsdpOption::boot_image_list, part); });
        } while (!list.empty());
    }
    const auto view = codec::DhcpView::parse(message.finish());
    require(view && !view->options_fault(), "our own message can be read");
    const auto again = codec::parse_bsdp(*view);
    require(again && *again == options, "the same again");
}

void read_list(base::Bytes list) {
    const auto images = codec::parse_image_list(list);
    if (!images) return;
    std::vector<std::uint8_t> again(list.size());
    base::ByteWriter writer(again);
    for (const codec::ListedImage& image : *images) {
        writer.u32(image.id.value());
        writer.u8(static_cast<std::uint8_t>(image.name.size()));
        writer.text(image.name);
    }
    require(writer.ok() && std::ranges::equal(writer.written(), list), "an image list is its images");
}

void read_message(base::Bytes message) {
    const auto view = codec::DhcpView::parse(message);
    if (!view) return;
    if (const auto vendor_class = view->option(codec::Option::vendor_class)) {
        const auto parsed = codec::parse_vendor_class(*vendor_class);
        if (parsed && vendor_class->size() > codec::bsdp_class.size()) {
            const std::string again = std::string(codec::bsdp_class) + '/' +
                                      std::string(parsed->architecture) + '/' + std::string(parsed->model);
            require(again == base::as_text(*vendor_class), "a class is its parts");
        }
    }
    const auto options = codec::parse_bsdp(*view);
    if (!options) return;
    if (options->image_list) read_list(*options->image_list);
    write_and_read_again(*options);
}

void read_instances(base::Bytes input) {
    std::vector<std::uint8_t> room(input.size() * 2 + codec::bootp_minimum_size);
    codec::DhcpWriter message(room, {}, "", "");
    base::ByteReader reader(input);
    while (reader.ok() && reader.remaining() > 0) {
        const std::size_t wanted = reader.u8();
        message.option(codec::Option::vendor_specific, reader.bytes(std::min(wanted, reader.remaining())));
    }
    read_message(message.finish());
}

/// Apple's packing, as plainly as it can be said: how many of the first images fit behind `head` octets of
/// other sub-options into `room` octets of message.
std::size_t apples_count(const std::vector<codec::ListedImage>& images, std::size_t head, std::size_t room) {
    std::size_t message = 2 + head;
    std::size_t instance = head;
    bool list_open = false;
    for (std::size_t i = 0; i < images.size(); ++i) {
        const std::size_t image = 5 + images[i].name.size();
        if (!list_open || instance + image > 255) {
            if (instance + 2 + image > 255 || list_open) {
                message += 2;
                instance = 0;
            }
            message += 2;
            instance += 2;
            list_open = true;
        }
        message += image;
        instance += image;
        if (message > room) return i;
    }
    return images.size();
}

void pack_list(base::Bytes input) {
    base::ByteReader reader(input);
    const std::size_t limit = 520 + reader.u16() % (8164 - 520 + 1);
    const std::size_t default_at = reader.u8();
    const std::size_t selected_at = reader.u8();
    std::vector<std::string> names;
    while (reader.ok() && reader.remaining() > 0) {
        names.emplace_back(reader.u8() % (codec::longest_image_name + 1),
                           static_cast<char>('a' + names.size() % 26));
    }
    std::vector<codec::ListedImage> images;
    for (const std::string& name : names) {
        images.push_back({base::BootImageId(static_cast<std::uint32_t>(0x81000001 + images.size())), name});
    }
    if (images.empty()) return;
    codec::BsdpList list{.priority = 1, .default_image = {}, .selected_image = {}, .images = images};
    list.default_image = base::BootImageId(static_cast<std::uint32_t>(0x81000001 + default_at));
    const bool bound = selected_at < images.size();
    if (bound) list.selected_image = images[selected_at].id;

    std::vector<std::uint8_t> room(limit);
    codec::DhcpWriter message(room, {}, "", "");
    message.option_u8(codec::Option::message_type, 5);
    message.option_address(codec::Option::server_identifier, base::Ipv4Address(10, 0, 1, 11));
    message.option_text(codec::Option::vendor_class, codec::bsdp_class);
    const std::size_t apples = apples_count(images, bound ? 19 : 13, message.room());
    const std::size_t written = codec::write_bsdp_list(message, list);
    const base::Bytes bytes = message.finish();
    require(!bytes.empty() && bytes.size() <= limit, "never larger than the room");

    const auto view = codec::DhcpView::parse(bytes);
    require(view && !view->options_fault(), "our own message can be read");
    view->for_each_option([&](codec::Option code, base::Bytes value) {
        if (code != codec::Option::vendor_specific) return;
        base::ByteReader instance(value);
        while (instance.ok() && instance.remaining() > 0) {
            const auto sub_option = static_cast<BsdpOption>(instance.u8());
            const base::Bytes part = instance.bytes(instance.u8());
            if (sub_option == BsdpOption::boot_image_list) {
                require(codec::parse_image_list(part).has_value(), "no image is cut");
            }
        }
        require(instance.ok(), "no sub-option is cut");
    });
    const auto options = codec::parse_bsdp(*view);
    require(options && options->image_list, "there is always a list");
    const auto sent = codec::parse_image_list(*options->image_list);
    require(sent && sent->size() == written && written > 0, "as many as it says, and one at least");

    auto next = images.begin();
    for (const codec::ListedImage& image : *sent) {
        next = std::find(next, images.end(), image);
        require(next != images.end(), "in list order");
        ++next;
    }
    const auto is_in = [&](std::size_t at) { return std::ranges::find(*sent, images[at]) != sent->end(); };
    const bool has_default = default_at < images.size();
    const bool names_are_short =
        (!has_default || names[default_at].size() <= 100) && (!bound || names[selected_at].size() <= 100);
    if (names_are_short || !bound || !has_default || default_at == selected_at) {
        require(!has_default || is_in(default_at), "the default is in");
        require(!bound || is_in(selected_at), "the selected image is in");
    }
    const bool both_early = (!has_default || default_at < apples) && (!bound || selected_at < apples);
    if (apples == images.size() || both_early) {
        require(written == apples && is_in(apples - 1), "exactly as many as Apple's server sends");
    } else {
        require(written <= apples + 2, "no more than fit");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const base::Bytes rest(data + 1, size - 1);
    switch (data[0]) {
        case 'm':
            read_message(rest);
            break;
        case 'v':
            read_instances(rest);
            break;
        case 'l':
            pack_list(rest);
            break;
        default:
            break;
    }
    return 0;
}
