#include <pomona/codec/bsdp.hpp>

#include <algorithm>
#include <array>
#include <cstring>

namespace pomona::codec {

namespace {

constexpr std::size_t instance_limit = 255;
constexpr std::size_t instance_header = 2;
constexpr std::size_t sub_option_header = 2;
constexpr std::size_t image_header = 5;

std::size_t encoded_size(const ListedImage& image) {
    return image_header + image.name.size();
}

/// Sub-options 1, 2 and 3 must be right; elsewhere a wrong length makes the sub-option absent.
bool must_be_right(BsdpOption code) {
    return code == BsdpOption::message_type || code == BsdpOption::version ||
           code == BsdpOption::server_identifier;
}

std::optional<std::size_t> fixed_length(BsdpOption code) {
    switch (code) {
        case BsdpOption::message_type:
            return 1;
        case BsdpOption::version:
        case BsdpOption::server_priority:
        case BsdpOption::reply_port:
        case BsdpOption::maximum_message_size:
            return 2;
        case BsdpOption::server_identifier:
        case BsdpOption::default_boot_image:
        case BsdpOption::selected_boot_image:
            return 4;
        default:
            return std::nullopt;
    }
}

class BsdpParser {
  public:
    /// One instance of option 43.
    void read(base::Bytes instance) {
        base::ByteReader reader(instance);
        while (!fault_ && reader.remaining() > 0) {
            const auto code = static_cast<BsdpOption>(reader.u8());
            if (code == BsdpOption::pad) continue;
            if (code == BsdpOption::end) return;
            const std::size_t length = reader.u8();
            const base::Bytes value = reader.bytes(length);
            if (!reader.ok()) {
                fault_ = BsdpFault::truncated;
                return;
            }
            take(code, value);
        }
    }

    std::expected<BsdpOptions, BsdpFault> finish() {
        if (fault_) return std::unexpected(*fault_);
        return std::move(options_);
    }

  private:
    void take(BsdpOption code, base::Bytes value) {
        if (code == BsdpOption::boot_image_list) {
            if (!options_.image_list) options_.image_list.emplace();
            options_.image_list->insert(options_.image_list->end(), value.begin(), value.end());
            return;
        }
        // The first occurrence counts, even if its length makes it count as absent.
        const auto index = static_cast<std::size_t>(code);
        if (seen_[index]) return;
        seen_[index] = true;
        if (const auto length = fixed_length(code); length && *length != value.size()) {
            if (must_be_right(code)) fault_ = BsdpFault::wrong_length;
            return;
        }
        set(code, value);
    }

    void set(BsdpOption code, base::Bytes value) {
        base::ByteReader reader(value);
        switch (code) {
            case BsdpOption::message_type:
                options_.message_type = reader.u8();
                break;
            case BsdpOption::version:
                options_.version = reader.u16();
                break;
            case BsdpOption::server_identifier:
                options_.server_identifier = base::Ipv4Address(reader.u32());
                break;
            case BsdpOption::server_priority:
                options_.server_priority = reader.u16();
                break;
            case BsdpOption::reply_port:
                options_.reply_port = reader.u16();
                break;
            case BsdpOption::default_boot_image:
                options_.default_image = base::BootImageId(reader.u32());
                break;
            case BsdpOption::selected_boot_image:
                options_.selected_image = base::BootImageId(reader.u32());
                break;
            case BsdpOption::netboot_1_0_firmware:
                options_.netboot_1_0 = true;
                break;
            case BsdpOption::attributes_filter:
                if (value.size() >= 2) options_.attributes_filter.emplace();
                while (reader.remaining() >= 2) options_.attributes_filter->push_back(reader.u16());
                break;
            case BsdpOption::maximum_message_size:
                options_.maximum_message_size = reader.u16();
                break;
            case BsdpOption::shadow_mount_path:
                options_.shadow_mount_path = base::as_text(value);
                break;
            case BsdpOption::shadow_file_path:
                options_.shadow_file_path = base::as_text(value);
                break;
            case BsdpOption::machine_name:
                options_.machine_name = base::as_text(value);
                break;
            default:
                break;
        }
    }

    BsdpOptions options_;
    std::array<bool, 256> seen_{};
    std::optional<BsdpFault> fault_;
};

/// The first option 43: everything but the list.
BsdpWriter list_head(const BsdpList& list) {
    BsdpWriter head;
    head.u8(BsdpOption::message_type, static_cast<std::uint8_t>(BsdpType::list));
    head.u16(BsdpOption::server_priority, list.priority);
    head.image(BsdpOption::default_boot_image, list.default_image);
    if (list.selected_image) head.image(BsdpOption::selected_boot_image, *list.selected_image);
    return head;
}

/// Which images of the list go in: the first `count` of them and, behind those, the default and the selected
/// one. A name too long for any instance never goes in: the list would be thrown away because of it.
class Selection {
  public:
    Selection(const BsdpList& list, std::size_t count) : list_(list), count_(count) {}

    template <typename Visit>
    void for_each(Visit&& visit) const {
        const std::span<const ListedImage> images = *list_.images;
        for (std::size_t i = 0; i < images.size(); ++i) {
            if (sub_option_header + encoded_size(images[i]) > instance_limit) continue;
            const bool needed = images[i].id == list_.default_image || images[i].id == list_.selected_image;
            if ((i < count_ || needed) && !visit(images[i])) return;
        }
    }

    /// How many of them fit behind `head`, counted from the first; all of them if `wanted` comes back equal.
    struct Fit {
        std::size_t wanted = 0;
        std::size_t fitting = 0;
    };
    [[nodiscard]] Fit fit(std::size_t head, std::size_t room) const {
        Fit fit;
        std::size_t used = instance_header + head;  // of the message
        std::size_t instance = head;                // of the instance that is being filled
        bool list_open = false;
        bool full = false;
        for_each([&](const ListedImage& image) {
            ++fit.wanted;
            if (full) return true;
            std::size_t more = encoded_size(image) + (list_open ? 0 : sub_option_header);
            if (instance + more > instance_limit) {
                instance = 0;
                more = encoded_size(image) + sub_option_header;
                used += instance_header;
            }
            full = used + more > room;
            if (full) return true;
            used += more;
            instance += more;
            list_open = true;
            ++fit.fitting;
            return true;
        });
        return fit;
    }

  private:
    const BsdpList& list_;
    std::size_t count_;
};

}  // namespace

std::optional<VendorClass> parse_vendor_class(base::Bytes value) {
    std::string_view text = base::as_text(value);
    if (!text.starts_with(bsdp_class) || text.find('\0') != std::string_view::npos ||
        text.find('\n') != std::string_view::npos) {
        return std::nullopt;
    }
    text.remove_prefix(bsdp_class.size());
    if (text.empty()) return VendorClass{};
    if (text[0] != '/') return std::nullopt;
    text.remove_prefix(1);
    const std::size_t slash = text.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    return VendorClass{text.substr(0, slash), text.substr(slash + 1)};
}

std::expected<BsdpOptions, BsdpFault> parse_bsdp(const DhcpView& message) {
    BsdpParser parser;
    bool found = false;
    message.for_each_option([&](Option code, base::Bytes value) {
        if (code != Option::vendor_specific) return;
        found = true;
        parser.read(value);
    });
    if (!found) return std::unexpected(BsdpFault::no_vendor_options);
    return parser.finish();
}

std::optional<std::vector<ListedImage>> parse_image_list(base::Bytes list) {
    std::vector<ListedImage> images;
    base::ByteReader reader(list);
    while (reader.remaining() > 0) {
        const base::BootImageId id(reader.u32());
        const std::size_t length = reader.u8();
        const std::string_view name = base::as_text(reader.bytes(length));
        if (!reader.ok()) return std::nullopt;
        images.push_back({id, name});
    }
    return images;
}

void BsdpWriter::u8(BsdpOption code, std::uint8_t value) {
    bytes(code, base::Bytes(&value, 1));
}

void BsdpWriter::u16(BsdpOption code, std::uint16_t value) {
    std::array<std::uint8_t, 2> octets{};
    base::ByteWriter(octets).u16(value);
    bytes(code, octets);
}

void BsdpWriter::u32(BsdpOption code, std::uint32_t value) {
    std::array<std::uint8_t, 4> octets{};
    base::ByteWriter(octets).u32(value);
    bytes(code, octets);
}

void BsdpWriter::bytes(BsdpOption code, base::Bytes value) {
    if (!ok_ || size_ + sub_option_header + value.size() > room_.size()) {
        ok_ = false;
        return;
    }
    base::ByteWriter writer(base::MutableBytes(room_).subspan(size_));
    writer.u8(static_cast<std::uint8_t>(code));
    writer.u8(static_cast<std::uint8_t>(value.size()));
    writer.bytes(value);
    size_ += writer.size();
}

std::size_t write_bsdp_list(DhcpWriter& message, const BsdpList& list) {
    BsdpWriter instance = list_head(list);
    if (!list.images) {
        message.option(Option::vendor_specific, instance.value());
        return 0;
    }

    // Usually everything fits. If not, take as many of the first images as leave room for the default and the
    // selected one; those two are seldom far apart, so this ends after a step or two.
    std::size_t count = list.images->size();
    Selection::Fit fit = Selection(list, count).fit(instance.size(), message.room());
    while (fit.fitting < fit.wanted && count > 0) {
        count = std::min(count - 1, fit.fitting);
        fit = Selection(list, count).fit(instance.size(), message.room());
    }

    std::array<std::uint8_t, instance_limit> run{};
    std::size_t run_size = 0;
    const auto close_instance = [&] {
        if (run_size > 0) instance.bytes(BsdpOption::boot_image_list, base::Bytes(run).first(run_size));
        message.option(Option::vendor_specific, instance.value());
        instance = BsdpWriter();
        run_size = 0;
    };
    std::size_t written = 0;
    Selection(list, count).for_each([&](const ListedImage& image) {
        if (written == fit.fitting) return false;
        if (instance.size() + sub_option_header + run_size + encoded_size(image) > instance_limit) {
            close_instance();
        }
        base::ByteWriter writer(base::MutableBytes(run).subspan(run_size));
        writer.u32(image.id.value());
        writer.u8(static_cast<std::uint8_t>(image.name.size()));
        writer.text(image.name);
        run_size += writer.size();
        ++written;
        return true;
    });
    close_instance();
    return written;
}

}  // namespace pomona::codec
