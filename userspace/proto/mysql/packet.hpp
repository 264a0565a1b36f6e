#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/reader.hpp"

/// Packets: length (3 bytes, little-endian), sequence number (1 byte, from 0 at each command on), payload. A payload of the
/// largest length goes on in the next packet.
namespace timesink::proto::mysql {

inline constexpr std::size_t kHeaderBytes = 4;
inline constexpr std::uint32_t kLargestPayload = 0xff'ffff;

enum class Command : std::uint8_t {
    quit = 0x01,
    init_db = 0x02,
    query = 0x03,
    field_list = 0x04,
    statistics = 0x09,
    debug = 0x0d,
    ping = 0x0e,
    change_user = 0x11,
    binlog_dump = 0x12,
    prepare = 0x16,
    execute = 0x17,
    send_long_data = 0x18,
    close_statement = 0x19,
    reset_statement = 0x1a,
    set_option = 0x1b,
    fetch = 0x1c,
    binlog_dump_gtid = 0x1e,
    reset_connection = 0x1f,
    bulk_execute = 0xfa,  ///< MariaDB
};
/// Its name, for drivers' own commands; empty: no command that clients send.
std::string_view command_name(Command command);

inline constexpr char kOk = '\x00';
inline constexpr char kError = '\xff';
inline constexpr char kEof = '\xfe';
inline constexpr char kLocalFile = '\xfb';

// Of both ends, in the handshake.
inline constexpr std::uint32_t kConnectWithDatabase = 1U << 3;
inline constexpr std::uint32_t kCompress = 1U << 5;
inline constexpr std::uint32_t kProtocol41 = 1U << 9;
inline constexpr std::uint32_t kTls = 1U << 11;
inline constexpr std::uint32_t kSecureConnection = 1U << 15;
inline constexpr std::uint32_t kAuthenticationLength = 1U << 21;
inline constexpr std::uint32_t kNoEof = 1U << 24;  ///< CLIENT_DEPRECATE_EOF: result sets end with an OK

// Of a server's status.
inline constexpr std::uint16_t kInTransaction = 0x0001;
inline constexpr std::uint16_t kMoreResults = 0x0008;
inline constexpr std::uint16_t kCursor = 0x0040;

/// A length-encoded integer.
std::uint64_t take_integer(Reader& payload);

struct Greeting {
    std::uint32_t capabilities = 0;
};
/// Of a server's first packet: protocol 10 and a version. False: it is something else.
bool is_greeting(std::string_view payload);
Greeting greeting_of(std::string_view payload);

struct Login {
    std::uint32_t capabilities = 0;
    std::string database;
};
/// A client's answer to the greeting; also when it asks for TLS, which is its first 32 bytes alone.
bool is_login(std::string_view payload, std::uint64_t length);
Login login_of(std::string_view payload);

/// The status flags and affected rows of an OK, the status of an EOF.
struct Completion {
    std::uint64_t rows = 0;
    std::uint16_t status = 0;
};
Completion ok_of(std::string_view payload);
std::uint16_t eof_status(std::string_view payload);

/// The number of an ERR ("1062"), and its SQLSTATE where it has one.
struct Failure {
    std::string number;
    std::string sqlstate;
};
Failure failure_of(std::string_view payload);

}  // namespace timesink::proto::mysql
