#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto/frames.hpp"
#include "proto/mysql/packet.hpp"
#include "proto/mysql/redaction.hpp"
#include "proto/mysql/statements.hpp"
#include "proto/turns.hpp"

namespace timesink::proto::mysql {

/// What a command asks for, while it waits for its answer.
struct Asked {
    Command command{};
    bool login = false;               ///< of the connection or another user: answered by a dialogue
    std::uint8_t sequence = 1;        ///< of the first packet of its answer
    Statements::Statement statement;  ///< of PREPARE
};

/// One exchange per command. A command's packets are numbered from 0, its answer's go on from there: that tells both when the
/// stream is out of step.
///
/// | phase       | packet                                       | then                                                  |
/// |-------------|----------------------------------------------|-------------------------------------------------------|
/// | first       | OK, EOF                                      | over, or first again (more results)                   |
/// |             | ERR                                          | over                                                  |
/// |             | a file's name (LOAD DATA LOCAL)              | first, after the client's data                        |
/// |             | number of columns                            | columns, or rows where their description is left out  |
/// |             | OK of PREPARE                                | definitions, or over                                  |
/// | columns     | as many                                      | column_end                                            |
/// | column_end  | EOF, which newer ends leave out              | rows; over with a cursor                              |
/// | rows        | row                                          | rows                                                  |
/// |             | EOF, OK headed as EOF                        | over, or first again                                  |
/// | definitions | as many as there are                         | over                                                  |
/// | login       | OK, ERR                                      | over; anything else goes on                           |
class Mysql final : public Parser, private FrameSink {
public:
    Parsed parse(const Chunk& chunk, Sink& sink) override;
    void gap(Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) override;
    void finish(Direction direction, std::uint64_t position, Sink& sink) override;

private:
    enum class Phase : std::uint8_t { first, columns, column_end, rows, definitions, login };

    std::optional<Shape> shape(Direction direction, std::string_view header) override;
    bool resumes(Direction direction, std::string_view bytes, Place place) override;
    void opened(const Frame& frame, Sink& sink) override;
    void closed(Direction direction, std::uint64_t end, Sink& sink) override;
    void lost(Direction direction, std::uint64_t position, Sink& sink) override;

    void from_client(const Frame& frame, Sink& sink);
    void login(const Frame& frame, Sink& sink);
    void command(const Frame& frame, Sink& sink);
    /// Operation, target and what the answer will need to know.
    void name(const Frame& frame, Head& head, Asked& asked);
    void ask(Head head, Asked asked, Sink& sink);
    void before_asking(Sink& sink);
    void request_over(std::uint64_t end, bool complete, Sink& sink);

    void from_server(const Frame& frame, Sink& sink);
    [[nodiscard]] Said said_by(const Asked& asked) const;
    void unasked(const Frame& frame, Sink& sink);
    void answer(const Frame& frame, Asked& asked);
    void first_packet(const Frame& frame, Asked& asked);
    void result_set(const Frame& frame);
    void row(const Frame& frame);
    void prepared(const Frame& frame, Asked& asked);
    void completed(const Completion& done);
    void fail(const Frame& frame);
    void answer_over(std::uint64_t end, bool complete, Sink& sink);
    void give_up(const std::vector<Correlation>& lost, Sink& sink) const;

    Frames request_{Direction::request, kHeaderBytes};
    Frames response_{Direction::response, kHeaderBytes};
    Turns<Asked> turns_;
    Statements statements_;
    bool understood_ = false;
    bool not_mine_ = false;
    bool logging_in_ = false;  ///< a greeting or a login was seen, and no end of it
    bool compressed_ = false;  ///< both ends can, so they do behind the login
    std::uint32_t server_can_ = ~std::uint32_t{0};

    // What the client says.
    bool continues_ = false;     ///< its last packet was of the largest length: the next one belongs to it
    bool ends_request_ = false;  ///< the packet in progress is the last of its request
    std::optional<End> asking_;  ///< of a request whose end is yet to come
    bool load_data_ = false;     ///< asking_ may go on with a file

    // What the server answers.
    Phase phase_ = Phase::first;
    bool answer_open_ = false;
    bool over_ = false;     ///< the packet in progress ends the answer
    bool resumed_ = false;  ///< the packet in progress was found behind a loss: rows are missing
    bool hidden_ = false;   ///< rows of this answer were not seen
    bool clear_ = true;     ///< status and error of this answer are known
    bool sends_file_ = false;
    Correlation answer_to_ = kNobody;
    std::uint64_t left_ = 0;     ///< columns, definitions: packets to come
    std::uint64_t columns_ = 0;  ///< what those so far are: End::columns
    std::uint8_t next_sequence_ = 1;
    bool no_eof_ = false;
    End answer_;
};

}  // namespace timesink::proto::mysql
