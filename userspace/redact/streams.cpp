#include "redact/streams.hpp"

#include <algorithm>

#include "redact/masks.hpp"

namespace timesink::redact {
namespace {

bool reads(const net::Connection& connection, proto::Direction direction) {
    return (connection.role() == net::Role::server) == (direction == proto::Direction::request);
}

/// The header of a record of TLS: the analysis finds the connection of plaintext by it (net::TlsAdjacency), also where no parser
/// has read it.
std::string_view tls_header(event::Bytes bytes) {
    constexpr std::size_t kHeader = 5;
    constexpr char kApplicationData = 23;
    const std::string_view text{reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), kHeader)};
    const bool is = text.size() == kHeader && text[0] == kApplicationData && text[1] == 3 && text[2] >= 1 && text[2] <= 4;
    return is ? text : std::string_view{};
}

}  // namespace

void Streams::on(const event::Call& call) {
    event::Call numbered = call;
    numbered.number = number_;
    if (call.operation == TS_OPERATION_WRITE) {
        if (const std::string_view header = tls_header(call.head); !header.empty()) {
            put_(number_, 0, header);
        }
    }
    connections_.on(numbered);
}

void Streams::on(const event::Payload& piece) {
    event::Payload numbered = piece;
    numbered.number = number_;
    connections_.on(numbered);
}

void Streams::on(const event::Plaintext& plain) {
    event::Plaintext numbered = plain;
    numbered.number = number_;
    connections_.on(numbered);
}

void Streams::on(const event::Fact& fact) {
    if (fact.name == "attached") {
        connections_.attached();
    }
}

Streams::Followed& Streams::followed(net::Connection& connection) {
    std::unique_ptr<Followed>& found = followed_[&connection];
    if (found == nullptr) {
        found = std::make_unique<Followed>(secret_);
    }
    return *found;
}

void Streams::passed(net::Connection& connection, bool read, std::uint64_t position, std::size_t bytes, net::Origin origin) {
    if (bytes == 0) {
        return;
    }
    Followed& state = followed(connection);
    std::deque<Segment>& segments = read ? state.read : state.written;
    while (!segments.empty() && segments.front().origin.number < gone_before_) {
        segments.pop_front();
    }
    if (!segments.empty() && position < segments.back().position + segments.back().bytes) {
        segments.clear();  // the stream begins anew: that of the plaintext in the place of the ciphertext
    }
    segments.push_back({position, bytes, origin});
}

std::string Streams::masked(std::string_view text, proto::Kept kind) const {
    return redact::masked(text, kind, secret_);
}

void Streams::keep(net::Connection& connection, bool read, std::uint64_t position, std::string_view text, proto::Kept kind) {
    const Followed& state = followed(connection);
    const std::deque<Segment>& segments = read ? state.read : state.written;
    if (kind == proto::Kept::structure) {
        put(segments, position, text);
    } else {
        put(segments, position, redact::masked(text, kind, secret_));
    }
}

/// What of it was not captured, or is let go of, is passed over.
void Streams::put(const std::deque<Segment>& segments, std::uint64_t position, std::string_view text) {
    const std::uint64_t end = position + text.size();
    for (auto segment = segments.rbegin(); segment != segments.rend(); ++segment) {
        const std::uint64_t from = std::max(position, segment->position);
        const std::uint64_t to = std::min(end, segment->position + segment->bytes);
        if (from < to && segment->origin.number >= gone_before_) {
            put_(segment->origin.number, segment->origin.offset + (from - segment->position),
                 text.substr(static_cast<std::size_t>(from - position), static_cast<std::size_t>(to - from)));
        }
        if (segment->position <= position) {
            break;
        }
    }
}

void Streams::head(net::Connection& connection, const proto::Head& head, const net::Moment&) {
    if (connection.protocol() == "http") {
        followed(connection).bodies.head(head);
    }
}

BodyMask::Put Streams::put_in(net::Connection& connection, proto::Direction direction) {
    const Followed& state = followed(connection);
    const std::deque<Segment>& segments = reads(connection, direction) ? state.read : state.written;
    return [this, &segments](std::uint64_t position, char byte) { put(segments, position, std::string_view(&byte, 1)); };
}

void Streams::content(net::Connection& connection, const proto::Content& content) {
    followed(connection).bodies.content(content, put_in(connection, content.direction));
}

void Streams::end(net::Connection& connection, const proto::End& end, const net::Moment&) {
    if (const auto found = followed_.find(&connection); found != followed_.end()) {
        found->second->bodies.end(end, put_in(connection, end.direction));
    }
}

void Streams::abandoned(net::Connection& connection) {
    if (const auto found = followed_.find(&connection); found != followed_.end()) {
        found->second->bodies.clear();
    }
}

}  // namespace timesink::redact
