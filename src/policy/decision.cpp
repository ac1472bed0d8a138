#include <pomona/policy/decision.hpp>

#include <algorithm>
#include <array>

namespace pomona::policy {

namespace {

using codec::BsdpOption;
using codec::DhcpWriter;
using codec::Option;

codec::BsdpType bsdp_type(AnswerKind kind) {
    switch (kind) {
        case AnswerKind::list:
            return codec::BsdpType::list;
        case AnswerKind::failed:
            return codec::BsdpType::failed;
        case AnswerKind::select:
        case AnswerKind::offer:
            break;
    }
    return codec::BsdpType::select;
}

/// What a Mac can do without, given up one by one when the answer is too large for it: copies of fields
/// first, then the name that the booted system would have taken.
enum class Extras : std::uint8_t { all, machine_name, none };

/// Everything but a list fits into one option 43.
void write_vendor_options(DhcpWriter& message, const Answer& answer, Extras extras) {
    codec::BsdpWriter vendor;
    if (answer.kind != AnswerKind::offer) {
        vendor.u8(BsdpOption::message_type, static_cast<std::uint8_t>(bsdp_type(answer.kind)));
    }
    if (answer.selected_image) vendor.image(BsdpOption::selected_boot_image, *answer.selected_image);
    if (answer.with_machine_name && extras != Extras::none && !answer.machine_name.empty()) {
        vendor.bytes(BsdpOption::machine_name, base::as_bytes(answer.machine_name));
    }
    message.option(Option::vendor_specific, vendor.value());
}

WrittenAnswer write_with(const Answer& answer, base::MutableBytes room, Extras extras) {
    WrittenAnswer written;
    DhcpWriter message(room.first(std::min(room.size(), answer.payload_limit)), answer.header, answer.sname,
                       answer.file);
    const bool offer = answer.kind == AnswerKind::offer;
    message.option_u8(Option::message_type,
                      static_cast<std::uint8_t>(offer ? codec::DhcpType::offer : codec::DhcpType::ack));
    message.option_address(Option::server_identifier, answer.server);
    message.option_text(Option::vendor_class, codec::bsdp_class);
    if (!answer.root_path.empty()) message.option_text(Option::root_path, answer.root_path);
    if (answer.boot_file_option && extras == Extras::all && !answer.file.empty()) {
        if (!answer.sname.empty()) message.option_text(Option::tftp_server_name, answer.sname);
        message.option_text(Option::boot_file_name, answer.file);
    }
    if (answer.kind == AnswerKind::list) {
        codec::BsdpList list{.priority = answer.priority,
                             .default_image = answer.default_image,
                             .selected_image = answer.selected_image,
                             .images = std::nullopt};
        if (answer.images) list.images = *answer.images;
        const std::size_t fitted = codec::write_bsdp_list(message, list);
        if (answer.images) written.images_left_out = answer.images->size() - fitted;
    } else {
        write_vendor_options(message, answer, extras);
    }
    written.payload = message.finish();
    return written;
}

}  // namespace

std::string_view text(AnswerKind kind) {
    switch (kind) {
        case AnswerKind::list:
            return "ACK[LIST]";
        case AnswerKind::select:
            return "ACK[SELECT]";
        case AnswerKind::failed:
            return "ACK[FAILED]";
        case AnswerKind::offer:
            return "OFFER";
    }
    return "";
}

Answer failed_instead(const Answer& answer, std::string_view failure) {
    Answer failed;
    failed.kind = AnswerKind::failed;
    failed.destination = answer.destination;
    failed.server = answer.server;
    failed.header = answer.header;
    failed.header.siaddr = answer.server;
    failed.payload_limit = answer.payload_limit;
    failed.failure = failure;
    return failed;
}

bool fits(const Answer& answer) {
    // Only a root path can make it large, and that is one option.
    if (answer.root_path.empty()) return true;
    std::array<std::uint8_t, 576> room{};
    return !write_with(answer, room, Extras::none).payload.empty();
}

WrittenAnswer write_answer(const Answer& answer, base::MutableBytes room) {
    WrittenAnswer written;
    for (const Extras extras : {Extras::all, Extras::machine_name, Extras::none}) {
        written = write_with(answer, room, extras);
        if (!written.payload.empty()) break;
    }
    return written;
}

}  // namespace pomona::policy
