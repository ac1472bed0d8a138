#include "servers/http_response.hpp"

#include <microhttpd.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <utility>

namespace pomona::servers {

namespace {

constexpr std::size_t block = 65536;

std::uint64_t length_of(const HttpPart& part) {
    if (const auto* const text = std::get_if<std::string>(&part)) return text->size();
    return std::get_if<HttpFilePart>(&part)->length;
}

/// A body of several parts.
struct PiecemealBody {
    io::File file;
    std::vector<HttpPart> parts;
    HttpFileState& state;
    // The library asks from the beginning to the end.
    std::size_t part = 0;
    std::uint64_t part_begin = 0;

    ssize_t read(std::uint64_t at, base::MutableBytes to) {
        while (part < parts.size() && at >= part_begin + length_of(parts[part])) {
            part_begin += length_of(parts[part]);
            ++part;
        }
        if (part == parts.size()) return MHD_CONTENT_READER_END_OF_STREAM;
        const std::uint64_t inside = at - part_begin;
        const std::uint64_t left = length_of(parts[part]) - inside;
        to = to.first(static_cast<std::size_t>(std::min<std::uint64_t>(to.size(), left)));
        if (const auto* const text = std::get_if<std::string>(&parts[part])) {
            std::memcpy(to.data(), text->data() + inside, to.size());
            return static_cast<ssize_t>(to.size());
        }
        const std::uint64_t offset = std::get_if<HttpFilePart>(&parts[part])->offset + inside;
        const iovec whole{to.data(), to.size()};
        const std::ptrdiff_t count = file.read({&whole, 1}, offset);
        if (count > 0) return count;
        state.failed = true;
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
};

ssize_t read_piece(void* body, std::uint64_t at, char* to, std::size_t size) noexcept {
    auto* const octets = reinterpret_cast<std::uint8_t*>(to);
    return static_cast<PiecemealBody*>(body)->read(at, {octets, size});
}

void free_body(void* body) noexcept {
    const std::unique_ptr<PiecemealBody> owned(static_cast<PiecemealBody*>(body));
}

MHD_Response* from_text(std::string_view text) {
    // The library takes it as not constant and copies it.
    return MHD_create_response_from_buffer(text.size(), const_cast<char*>(text.data()),
                                           MHD_RESPMEM_MUST_COPY);
}

MHD_Response* body_of(HttpReply& reply, HttpFileState& state) {
    const std::uint64_t size = reply.size();
    if (size == 0) return from_text({});
    if (reply.body.size() == 1 && std::holds_alternative<std::string>(reply.body[0])) {
        return from_text(std::get<std::string>(reply.body[0]));
    }
    if (reply.body.size() == 1 && reply.file) {
        const auto part = std::get<HttpFilePart>(reply.body[0]);
        io::Descriptor descriptor = std::move(*reply.file).release();
        MHD_Response* const response =
            MHD_create_response_from_fd_at_offset64(part.length, descriptor.get(), part.offset);
        if (response == nullptr) return nullptr;
        state.end = part.offset + part.length;
        state.descriptor = descriptor.release();
        return response;
    }
    if (!reply.file) {
        std::string all;
        for (const HttpPart& part : reply.body) all += std::get<std::string>(part);
        return from_text(all);
    }
    auto body = std::make_unique<PiecemealBody>(*std::move(reply.file), std::move(reply.body), state);
    MHD_Response* const response = MHD_create_response_from_callback(
        size, static_cast<std::size_t>(std::min<std::uint64_t>(size, block)), read_piece, body.get(),
        free_body);
    if (response != nullptr) (void)body.release();
    return response;
}

}  // namespace

bool HttpFileState::has_shrunk() const {
    struct stat status{};
    return descriptor >= 0 && ::fstat(descriptor, &status) == 0 &&
           static_cast<std::uint64_t>(status.st_size) < end;
}

std::uint64_t HttpReply::size() const {
    std::uint64_t size = 0;
    for (const HttpPart& part : body) size += length_of(part);
    return size;
}

MHD_Response* make_response(HttpReply reply, HttpFileState& state) {
    MHD_Response* const response = body_of(reply, state);
    if (response == nullptr) return nullptr;
    for (const auto& [name, value] : reply.headers) {
        if (MHD_add_response_header(response, name.c_str(), value.c_str()) != MHD_YES) {
            MHD_destroy_response(response);
            return nullptr;
        }
    }
    return response;
}

std::uint64_t approximate_head(const HttpReply& reply) {
    std::uint64_t octets = sizeof "HTTP/1.1 206 Partial Content\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n" +
                           sizeof "Content-Length: \r\n\r\n" + std::to_string(reply.size()).size();
    for (const auto& [name, value] : reply.headers) octets += name.size() + value.size() + sizeof ": \r";
    return octets;
}

}  // namespace pomona::servers
