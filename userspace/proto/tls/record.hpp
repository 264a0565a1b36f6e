#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/parser.hpp"

/// Records and the messages of the handshake that are in the clear. Everything is the peer's word: checked for form, never
/// believed to be there.
namespace timesink::proto::tls {

enum class ContentType : std::uint8_t { change_cipher_spec = 20, alert = 21, handshake = 22, application_data = 23 };

inline constexpr std::size_t kHeaderBytes = 5;
/// RFC 5246 6.2.3 lets ciphertext be 2048 bytes longer than plaintext; RFC 8446 5.2 256.
inline constexpr std::size_t kMostPlain = 16384;
inline constexpr std::size_t kMostRecord = kMostPlain + 2048;

struct RecordHeader {
    ContentType type = ContentType::application_data;
    std::uint8_t minor = 0;    ///< of the version; the major one is 3
    std::uint16_t length = 0;  ///< of what follows the header
};
/// Empty: no header of a record. Precondition: kHeaderBytes bytes.
std::optional<RecordHeader> record_header(std::string_view bytes);

enum class Message : std::uint8_t { other, client_hello, server_hello };
/// What a record of the handshake begins with. Empty: its form is wrong.
std::optional<Message> handshake_message(std::string_view body);

/// Fills in what a ClientHello or ServerHello says. False: cut short or malformed; what came before that is filled in.
bool read_client_hello(std::string_view body, Secured& facts);
bool read_server_hello(std::string_view body, Secured& facts);

/// Of a record with a Finished message under TLS 1.3: its hash, four bytes of header, the type, the tag (RFC 8446 4.4.4, 5.2).
std::uint16_t finished_length(std::uint16_t suite);

}  // namespace timesink::proto::tls
