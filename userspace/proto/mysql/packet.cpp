#include "proto/mysql/packet.hpp"

namespace timesink::proto::mysql {

std::string_view command_name(Command command) {
    switch (command) {
        case Command::quit:
            return "QUIT";
        case Command::init_db:
            return "INIT_DB";
        case Command::query:
            return "QUERY";
        case Command::field_list:
            return "FIELD_LIST";
        case Command::statistics:
            return "STATISTICS";
        case Command::debug:
            return "DEBUG";
        case Command::ping:
            return "PING";
        case Command::change_user:
            return "CHANGE_USER";
        case Command::binlog_dump:
        case Command::binlog_dump_gtid:
            return "BINLOG_DUMP";
        case Command::prepare:
            return "PREPARE";
        case Command::execute:
        case Command::bulk_execute:
            return "EXECUTE";
        case Command::send_long_data:
            return "SEND_LONG_DATA";
        case Command::close_statement:
            return "CLOSE_STATEMENT";
        case Command::reset_statement:
            return "RESET_STATEMENT";
        case Command::set_option:
            return "SET_OPTION";
        case Command::fetch:
            return "FETCH";
        case Command::reset_connection:
            return "RESET_CONNECTION";
    }
    return {};
}

std::uint64_t take_integer(Reader& payload) {
    const std::uint8_t first = payload.byte();
    switch (first) {
        case 0xfc:
            return payload.little<2>();
        case 0xfd:
            return payload.little<3>();
        case 0xfe:
            return payload.little<8>();
        default:
            return first;
    }
}

bool is_greeting(std::string_view payload) {
    if (payload.size() < 2 || payload[0] != 10 || payload[1] < '0' || payload[1] > '9') {
        return false;
    }
    const std::size_t end = payload.find('\0', 1);
    return is_printable(payload.substr(1, end - 1)) && (end == std::string_view::npos ? payload.size() < 64 : end < 64);
}

Greeting greeting_of(std::string_view payload) {
    Reader reader(payload.substr(1));
    (void)reader.text();
    (void)reader.take(4 + 8 + 1);  // connection id, first part of the challenge, filler
    Greeting greeting;
    greeting.capabilities = static_cast<std::uint32_t>(reader.little<2>());
    (void)reader.take(1 + 2);  // character set, status
    greeting.capabilities |= static_cast<std::uint32_t>(reader.little<2>()) << 16;
    return greeting;
}

bool is_login(std::string_view payload, std::uint64_t length) {
    constexpr std::size_t kFixed = 32;
    if (length < kFixed || payload.size() < kFixed || length > std::uint64_t{64} * 1024) {
        return false;
    }
    const std::uint32_t capabilities = login_of(payload.substr(0, kFixed)).capabilities;
    // Behind size and character set: 23 reserved bytes, of which MariaDB uses the last four.
    const bool reserved = payload.substr(9, 19).find_first_not_of('\0') == std::string_view::npos;
    return (capabilities & kProtocol41) != 0 && reserved &&
           ((length == kFixed) == ((capabilities & kTls) != 0) || length > kFixed);
}

Login login_of(std::string_view payload) {
    Reader reader(payload);
    Login login;
    login.capabilities = static_cast<std::uint32_t>(reader.little<4>());
    (void)reader.take(28);
    (void)reader.text();  // the user
    if ((login.capabilities & kAuthenticationLength) != 0) {
        (void)reader.take(take_integer(reader));
    } else if ((login.capabilities & kSecureConnection) != 0) {
        (void)reader.take(reader.byte());
    } else {
        (void)reader.text();
    }
    if ((login.capabilities & kConnectWithDatabase) != 0 && reader.ok()) {
        login.database = reader.text().substr(0, 128);
    }
    return login;
}

Completion ok_of(std::string_view payload) {
    Reader reader(payload.substr(1));
    Completion done;
    done.rows = take_integer(reader);
    (void)take_integer(reader);  // last insert id
    done.status = static_cast<std::uint16_t>(reader.little<2>());
    return done;
}

std::uint16_t eof_status(std::string_view payload) {
    Reader reader(payload.substr(1));
    (void)reader.little<2>();  // warnings
    return static_cast<std::uint16_t>(reader.little<2>());
}

Failure failure_of(std::string_view payload) {
    Reader reader(payload.substr(1));
    Failure failure;
    const std::uint64_t number = reader.little<2>();
    failure.number = reader.ok() ? std::to_string(number) : "unknown";
    if (reader.rest().starts_with('#')) {
        const std::string_view state = reader.take(6);
        failure.sqlstate = state.empty() || !is_printable(state) ? std::string_view{} : state.substr(1);
    }
    return failure;
}

}  // namespace timesink::proto::mysql
