#include "proto/tls/record.hpp"

#include <algorithm>

#include "proto/reader.hpp"

namespace timesink::proto::tls {

namespace {

constexpr std::uint8_t kClientHello = 1;
constexpr std::uint8_t kServerHello = 2;
constexpr std::uint8_t kLastMessage = 254;  // message_hash; what is between is of little use here
constexpr std::size_t kMessageHeader = 4;
constexpr std::size_t kRandomBytes = 32;
constexpr std::size_t kMostName = 255;  // RFC 1035, and RFC 7301 for the other kind

// extensions (IANA, "TLS ExtensionType Values")
constexpr std::uint64_t kServerName = 0;
constexpr std::uint64_t kApplicationProtocols = 16;
constexpr std::uint64_t kSupportedVersions = 43;

std::string_view version_name(std::uint64_t version) {
    switch (version) {
        case 0x0301:
            return "1.0";
        case 0x0302:
            return "1.1";
        case 0x0303:
            return "1.2";
        case 0x0304:
            return "1.3";
        default:
            return {};
    }
}

std::string checked_name(std::string_view name) {
    return name.size() <= kMostName && is_printable(name) ? std::string(name) : std::string();
}

/// Calls `visit(type, body)` for each; false: malformed.
template <typename Visit>
bool each_extension(Reader& reader, Visit visit) {
    Reader extensions(reader.take(reader.big<2>()));
    while (!extensions.rest().empty()) {
        const std::uint64_t type = extensions.big<2>();
        const std::string_view body = extensions.take(extensions.big<2>());
        if (!extensions.ok()) {
            return false;
        }
        visit(type, body);
    }
    return reader.ok() && extensions.ok();
}

std::string host_name(std::string_view extension) {
    Reader list(extension);
    Reader names(list.take(list.big<2>()));
    const bool is_host = names.byte() == 0;
    const std::string_view name = names.take(names.big<2>());
    return is_host && names.ok() ? checked_name(name) : std::string();
}

std::string first_protocol(std::string_view extension) {
    Reader list(extension);
    Reader protocols(list.take(list.big<2>()));
    const std::string_view name = protocols.take(protocols.byte());
    return protocols.ok() ? checked_name(name) : std::string();
}

}  // namespace

std::optional<RecordHeader> record_header(std::string_view bytes) {
    Reader reader(bytes);
    const std::uint8_t type = reader.byte();
    const std::uint8_t major = reader.byte();
    RecordHeader header;
    header.minor = reader.byte();
    header.length = static_cast<std::uint16_t>(reader.big<2>());
    const bool sound = reader.ok() && type >= 20 && type <= 23 && major == 3 && header.minor <= 4 && header.length > 0 &&
                       header.length <= kMostRecord;
    header.type = static_cast<ContentType>(type);
    return sound ? std::optional(header) : std::nullopt;
}

std::optional<Message> handshake_message(std::string_view body) {
    Reader reader(body);
    const std::uint8_t type = reader.byte();
    const std::uint64_t length = reader.big<3>();
    if (!reader.ok() || type > kLastMessage || length > std::size_t{1} << 20) {
        return std::nullopt;
    }
    const bool fits = length + kMessageHeader <= body.size() && length > 2 + kRandomBytes;
    return type == kClientHello && fits   ? Message::client_hello
           : type == kServerHello && fits ? Message::server_hello
                                          : Message::other;
}

bool read_client_hello(std::string_view body, Secured& facts) {
    Reader reader(body);
    (void)reader.take(kMessageHeader + 2);
    const std::string_view random = reader.take(kRandomBytes);
    if (!reader.ok()) {
        return false;
    }
    std::transform(random.begin(), random.end(), facts.client_random.begin(), [](char c) { return static_cast<std::byte>(c); });
    facts.random_known = true;
    (void)reader.take(reader.byte());    // session
    (void)reader.take(reader.big<2>());  // suites
    (void)reader.take(reader.byte());    // compressions
    return each_extension(reader, [&](std::uint64_t type, std::string_view extension) {
        if (type == kServerName) {
            facts.server_name = host_name(extension);
        } else if (type == kApplicationProtocols) {
            facts.application_protocol = first_protocol(extension);
        }
    });
}

bool read_server_hello(std::string_view body, Secured& facts) {
    Reader reader(body);
    (void)reader.take(kMessageHeader);
    facts.version = version_name(reader.big<2>());
    (void)reader.take(kRandomBytes);
    (void)reader.take(reader.byte());
    facts.suite = static_cast<std::uint16_t>(reader.big<2>());
    (void)reader.byte();
    if (!reader.ok()) {
        return false;
    }
    if (reader.rest().empty()) {
        return true;
    }
    return each_extension(reader, [&](std::uint64_t type, std::string_view extension) {
        if (type == kSupportedVersions) {
            facts.version = version_name(Reader(extension).big<2>());
        } else if (type == kApplicationProtocols) {
            facts.application_protocol = first_protocol(extension);
        }
    });
}

std::uint16_t finished_length(std::uint16_t suite) {
    constexpr std::uint16_t kAes256Sha384 = 0x1302;  // the only one of RFC 8446 B.4 with the longer hash
    return (suite == kAes256Sha384 ? 48 : 32) + 4 + 1 + 16;
}

}  // namespace timesink::proto::tls
