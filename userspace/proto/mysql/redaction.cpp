#include "proto/mysql/redaction.hpp"

#include <algorithm>

namespace timesink::proto::mysql {
namespace {

void keep_first(const Frame& frame, std::size_t bytes, Sink& sink) {
    keep(frame, frame.payload.substr(0, bytes), Kept::structure, sink);
}

/// Number and SQLSTATE.
void keep_error(const Frame& frame, Sink& sink) {
    constexpr std::size_t kNumber = 1 + 2;
    constexpr std::size_t kState = 6;
    const bool state = frame.payload.substr(std::min(kNumber, frame.payload.size())).starts_with('#');
    keep_first(frame, kNumber + (state ? kState : 0), sink);
}

/// All but the text behind an OK.
void keep_completion(const Frame& frame, Sink& sink) {
    Reader reader(frame.payload);
    (void)reader.byte();
    (void)take_integer(reader);
    (void)take_integer(reader);
    (void)reader.take_some(2 + 2);  // status, warnings
    keep_first(frame, frame.payload.size() - reader.rest().size(), sink);
}

void keep_end_of_rows(const Frame& frame, Sink& sink) {
    if (frame.payload.starts_with(kEof) && frame.payload_bytes() < kLargestPayload) {
        frame.payload_bytes() == 5 ? keep_first(frame, 5, sink) : keep_completion(frame, sink);
    }
}

}  // namespace

void keep_greeting(const Frame& frame, Sink& sink) {
    Reader reader(frame.payload);
    (void)reader.byte();
    (void)reader.text();
    (void)reader.take(4);  // connection
    keep_first(frame, frame.payload.size() - reader.rest().size(), sink);
    (void)reader.take(8);  // a part of the challenge; behind it capabilities, character set, status
    keep(frame, reader.rest().substr(0, 1 + 2 + 1 + 2 + 2), Kept::structure, sink);
}

void keep_login(const Frame& frame, Sink& sink) {
    constexpr std::size_t kFixed = 32;
    keep_first(frame, kFixed, sink);
    Reader reader(frame.payload.substr(std::min(kFixed, frame.payload.size())));
    const std::uint32_t capabilities = static_cast<std::uint32_t>(Reader(frame.payload).little<4>());
    const auto keep_up_to = [&](std::string_view before) {
        keep(frame, before.substr(0, before.size() - reader.rest().size()), Kept::structure, sink);
    };
    const auto keep_end_of_text = [&] {
        const std::string_view before = reader.rest();
        const std::size_t size = reader.text().size();
        keep(frame, before.substr(size, 1), Kept::structure, sink);
    };
    keep_end_of_text();  // the user
    const std::string_view before = reader.rest();
    if ((capabilities & kAuthenticationLength) != 0) {
        const std::uint64_t size = take_integer(reader);
        keep_up_to(before);
        (void)reader.take(size);
    } else if ((capabilities & kSecureConnection) != 0) {
        const std::uint8_t size = reader.byte();
        keep_up_to(before);
        (void)reader.take(size);
    } else {
        keep_end_of_text();
    }
    if ((capabilities & kConnectWithDatabase) != 0 && reader.ok()) {
        const std::string_view database = reader.rest();
        (void)reader.text();
        keep_up_to(database);
    }
}

void keep_command(const Frame& frame, Sink& sink) {
    const auto command = static_cast<Command>(frame.payload.front());
    std::size_t fixed = 1;
    switch (command) {
        case Command::query:
        case Command::prepare:
            keep(frame, frame.payload.substr(1), Kept::mysql, sink);
            break;
        case Command::execute:
        case Command::bulk_execute:
            fixed = 1 + 4 + 1 + 4;  // statement, flags, iterations
            break;
        case Command::fetch:
        case Command::close_statement:
        case Command::reset_statement:
        case Command::send_long_data:
            fixed = 1 + 4;
            break;
        default:
            break;
    }
    keep_first(frame, fixed, sink);
}

void keep_answer(const Frame& frame, Said said, Sink& sink) {
    if (frame.payload.empty()) {
        return;
    }
    const char first = frame.payload.front();
    if (said == Said::columns || said == Said::definitions) {
        constexpr std::size_t kCatalogue = 4;  // "\3def": tells the protocol, where it is detected
        if (frame.payload.starts_with("\3def")) {
            keep_first(frame, kCatalogue, sink);
        }
        return;
    }
    if (first == kError) {
        return keep_error(frame, sink);
    }
    switch (said) {
        case Said::login:
            return first == kOk ? keep_completion(frame, sink) : keep_first(frame, 1, sink);
        case Said::prepared:
            return keep_first(frame, 12, sink);
        case Said::rows:
            return keep_end_of_rows(frame, sink);
        case Said::first:
            if (first == kOk || (first == kEof && frame.payload_bytes() < 9)) {
                return frame.payload_bytes() == 5 ? keep_first(frame, 5, sink) : keep_completion(frame, sink);
            }
            return keep_first(frame, first == kLocalFile ? 1 : 9 + 1, sink);  // how many columns
        default:
            return;
    }
}

}  // namespace timesink::proto::mysql
