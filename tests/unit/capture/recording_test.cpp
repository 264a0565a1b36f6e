#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <cstring>
#include <functional>

#include "capture/reader.hpp"
#include "capture/writer.hpp"
#include "records/record.hpp"
#include "temporary_file.hpp"

namespace timesink::capture {
namespace {

using records::Stream;
using testing::HasSubstr;

constexpr std::uint64_t kSecond = 1'000'000'000;

/// Three seconds: facts first, then calls with a watermark every 100 ms, then the totals.
Stream short_run() {
    Stream stream;
    stream.fact(kSecond, {{"fact", "host"}, {"kernel", "6.1"}});
    stream.fact(kSecond, {{"fact", "target"}, {"by", "pid"}, {"value", "42"}});
    for (std::uint64_t time = kSecond; time < 4 * kSecond; time += kSecond / 10) {
        ts_call call{};
        call.head = records::head(time, 0, 42);
        call.entered = time - 1000;
        call.operation = TS_OPERATION_READ;
        call.result = 20;
        stream.call(call, "GET /orders/" + std::to_string(time % 7));
        stream.watermark(time + 1);
    }
    stream.fact(4 * kSecond, {{"fact", "sample"}, {"pid", 42}});
    stream.fact(4 * kSecond, {{"fact", "drops"}, {"cpu", 0}, {"count", 0}});
    return stream;
}

void record(const std::string& path, const Stream& stream) {
    Result<Writer> writer = Writer::create(path, Existing::replace_recordings);
    ASSERT_TRUE(writer) << writer.error().what;
    ASSERT_TRUE(writer->append(stream.bytes()));
    ASSERT_TRUE(writer->finish());
    EXPECT_EQ(writer->bytes_written(), contents(path).size());
}

std::string as_text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

struct Read {
    std::string error;  ///< of opening
    std::string bytes;
    Ending ending;
};

Read read_all(const std::string& path) {
    Read read;
    Result<Reader> reader = Reader::open(path);
    if (!reader) {
        read.error = reader.error().what;
        return read;
    }
    while (const auto events = reader->next_events()) {
        read.bytes += as_text(*events);
    }
    read.ending = reader->ending();
    return read;
}

TEST(Recording, GivesBackTheBytesInTheirOrder) {
    const TemporaryFolder folder;
    const Stream stream = short_run();
    record(folder / "a.tsr", stream);
    const Read read = read_all(folder / "a.tsr");
    EXPECT_EQ(read.error, "");
    EXPECT_EQ(read.bytes, as_text(stream.bytes()));
    EXPECT_EQ(read.ending.kind, Ending::Kind::complete);
    EXPECT_EQ(read.ending.first_time, kSecond);
    EXPECT_EQ(read.ending.last_time, 4 * kSecond);
}

TEST(Recording, DoesNotDependOnHowTheRecordsWereHandedOver) {
    const TemporaryFolder folder;
    const Stream stream = short_run();
    record(folder / "at-once.tsr", stream);
    Result<Writer> writer = Writer::create(folder / "one-by-one.tsr", Existing::replace_recordings);
    ASSERT_TRUE(writer);
    for (std::size_t index = 0; index < stream.offsets().size(); ++index) {
        const std::size_t begin = stream.offsets()[index];
        const std::size_t end = index + 1 < stream.offsets().size() ? stream.offsets()[index + 1] : stream.bytes().size();
        ASSERT_TRUE(writer->append(std::span(stream.bytes()).subspan(begin, end - begin)));
    }
    ASSERT_TRUE(writer->finish());
    EXPECT_EQ(contents(folder / "one-by-one.tsr"), contents(folder / "at-once.tsr"));
}

TEST(Recording, CanBeReadWhileItIsBeingWritten) {
    const TemporaryFolder folder;
    const Stream stream = short_run();
    Result<Writer> writer = Writer::create(folder / "a.tsr", Existing::replace_recordings);
    ASSERT_TRUE(writer);
    Result<Reader> reader = Reader::open(folder / "a.tsr");
    ASSERT_TRUE(reader);
    std::string bytes;
    const auto read_on = [&] {
        reader->look_again();
        while (const auto events = reader->next_events()) {
            bytes += as_text(*events);
        }
        EXPECT_LE(reader->position(), writer->bytes_written());
    };
    for (std::size_t index = 0; index < stream.offsets().size(); ++index) {
        const std::size_t begin = stream.offsets()[index];
        const std::size_t end = index + 1 < stream.offsets().size() ? stream.offsets()[index + 1] : stream.bytes().size();
        ASSERT_TRUE(writer->append(std::span(stream.bytes()).subspan(begin, end - begin)));
        read_on();
        EXPECT_EQ(reader->ending().kind, Ending::Kind::cut_off);
        EXPECT_TRUE(bytes + as_text(writer->unwritten()) == as_text(stream.bytes()).substr(0, end));
    }
    ASSERT_TRUE(writer->finish());
    read_on();
    EXPECT_TRUE(bytes == as_text(stream.bytes()));
    EXPECT_EQ(reader->ending().kind, Ending::Kind::complete);
}

TEST(Recording, FactsAreReadWithoutTheEvents) {
    const TemporaryFolder folder;
    record(folder / "a.tsr", short_run());
    const Result<Reader> reader = Reader::open(folder / "a.tsr");
    ASSERT_TRUE(reader);
    EXPECT_THAT(as_text(*reader->facts(SectionKind::host)), HasSubstr(R"("kernel":"6.1")"));
    EXPECT_THAT(as_text(*reader->facts(SectionKind::targets)), HasSubstr(R"("value":"42")"));
    EXPECT_THAT(as_text(*reader->facts(SectionKind::drops)), HasSubstr(R"("fact":"drops")"));
    EXPECT_TRUE(reader->facts(SectionKind::own_cost)->empty());
    const auto sections = reader->sections();
    EXPECT_EQ(
        std::count_if(sections.begin(), sections.end(),
                      [](const IndexEntry& entry) { return entry.kind == static_cast<std::uint16_t>(SectionKind::events); }),
        4)
        << "the first at the first watermark, one each second, and the rest";
}

TEST(Recording, SectionsAreFoundWithoutAnIndexAsWithOne) {
    const TemporaryFolder folder;
    record(folder / "a.tsr", short_run());
    const std::string whole = contents(folder / "a.tsr");
    store(folder / "b.tsr", whole.substr(0, whole.size() - 1));
    const auto indexed = Reader::open(folder / "a.tsr")->sections();
    const auto searched = Reader::open(folder / "b.tsr")->sections();
    ASSERT_EQ(indexed.size(), searched.size());
    EXPECT_EQ(std::memcmp(indexed.data(), searched.data(), indexed.size() * sizeof(IndexEntry)), 0);
}

TEST(Recording, AnEmptyRunIsARecording) {
    const TemporaryFolder folder;
    record(folder / "a.tsr", Stream());
    const Read read = read_all(folder / "a.tsr");
    EXPECT_EQ(read.bytes, "");
    EXPECT_EQ(read.ending.kind, Ending::Kind::complete);
}

TEST(Recording, BytesThatDoNotShrinkAreStoredAsTheyAre) {
    const TemporaryFolder folder;
    Stream stream;
    stream.watermark(0x123456789abcdef);
    record(folder / "a.tsr", stream);
    EXPECT_EQ(read_all(folder / "a.tsr").bytes, as_text(stream.bytes()));
}

TEST(Recording, ALargeRunIsSplitAndComesBackWhole) {
    const TemporaryFolder folder;
    Stream stream;
    std::string payload(3000, ' ');
    std::uint32_t state = 1;
    for (int index = 0; index < 2000; ++index) {
        ts_call call{};
        call.head = records::head(kSecond + static_cast<std::uint64_t>(index));
        call.entered = kSecond;
        call.operation = TS_OPERATION_READ;
        call.result = 3000;
        for (char& byte : payload) {
            byte = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
        }
        stream.call(call, payload);
    }
    record(folder / "a.tsr", stream);
    EXPECT_EQ(read_all(folder / "a.tsr").bytes, as_text(stream.bytes()));
    EXPECT_GE(Reader::open(folder / "a.tsr")->sections().size(), 5u);
}

TEST(Recording, CutOffAnywhereItGivesTheSectionsThatAreWhole) {
    const TemporaryFolder folder;
    const Stream stream = short_run();
    record(folder / "a.tsr", stream);
    const std::string whole = contents(folder / "a.tsr");
    const std::string written = as_text(stream.bytes());
    std::size_t longest = 0;
    for (std::size_t length = 0; length < whole.size(); ++length) {
        SCOPED_TRACE(length);
        store(folder / "cut.tsr", whole.substr(0, length));
        const Read read = read_all(folder / "cut.tsr");
        if (length < sizeof(FileHeader)) {
            EXPECT_THAT(read.error, length == 0 ? HasSubstr("is empty") : HasSubstr("cut off inside its header"));
            continue;
        }
        EXPECT_EQ(read.error, "");
        EXPECT_EQ(read.ending.kind, Ending::Kind::cut_off);
        EXPECT_LE(read.ending.offset, length);
        EXPECT_TRUE(written.starts_with(read.bytes));
        EXPECT_GE(read.bytes.size(), longest) << "more of the file gives less of the run";
        longest = std::max(longest, read.bytes.size());
        const Result<Reader> reader = Reader::open(folder / "cut.tsr");
        EXPECT_TRUE(reader->facts(SectionKind::host));
    }
    EXPECT_EQ(longest, written.size());
}

TEST(Recording, ABitFlippedAnywhereNeverGivesWhatWasNotWritten) {
    const TemporaryFolder folder;
    const Stream stream = short_run();
    record(folder / "a.tsr", stream);
    const std::string whole = contents(folder / "a.tsr");
    const std::string written = as_text(stream.bytes());
    for (std::size_t offset = 0; offset < whole.size(); ++offset) {
        for (const int bit : {0, 3, 7}) {
            SCOPED_TRACE(std::to_string(offset) + " bit " + std::to_string(bit));
            std::string flipped = whole;
            flipped[offset] = static_cast<char>(flipped[offset] ^ (1 << bit));
            store(folder / "flipped.tsr", flipped);
            const Read read = read_all(folder / "flipped.tsr");
            EXPECT_TRUE(written.starts_with(read.bytes));
            EXPECT_TRUE(!read.error.empty() || read.ending.kind != Ending::Kind::complete || read.bytes == written);
            if (Result<Reader> reader = Reader::open(folder / "flipped.tsr")) {
                const auto host = reader->facts(SectionKind::host);
                EXPECT_TRUE(!host || host->empty() || written.find(as_text(*host).substr(0, 40)) != std::string::npos);
            }
        }
    }
}

/// The sections of `whole`, changed and put together again with right checksums.
std::string with_section(const std::string& whole, const SectionHeader& like, const std::string& payload) {
    SectionHeader header = like;
    header.magic = kSectionMagic;
    header.stored_bytes = static_cast<std::uint32_t>(payload.size());
    header.payload_crc = crc_of(std::as_bytes(std::span(payload)));
    header.header_crc = crc_up_to(header, header.header_crc);
    std::string section(reinterpret_cast<const char*>(&header), sizeof(header));
    return whole.substr(0, sizeof(FileHeader)) + section + payload + whole.substr(sizeof(FileHeader));
}

std::string with_header(const std::string& whole, const std::function<void(FileHeader&)>& change) {
    FileHeader header{};
    std::memcpy(&header, whole.data(), sizeof(header));
    change(header);
    header.crc = crc_up_to(header, header.crc);
    std::string changed = whole;
    std::memcpy(changed.data(), &header, sizeof(header));
    return changed;
}

struct Foreign {
    const char* name;
    std::function<std::string(const std::string&)> change;
    const char* error;   ///< of opening
    const char* reason;  ///< of the end
    bool all_events;
};

const Foreign kForeign[] = {
    {"a section of a newer minor version is skipped",
     [](const std::string& whole) {
         return with_section(whole,
                             {.magic = 0,
                              .kind = 77,
                              .flags = 0,
                              .stored_bytes = 0,
                              .raw_bytes = 3,
                              .first_time = 0,
                              .last_time = 0,
                              .payload_crc = 0,
                              .header_crc = 0},
                             "new");
     },
     "", "", true},
    {"so is one packed in a way that is not known",
     [](const std::string& whole) {
         return with_section(whole,
                             {.magic = 0,
                              .kind = 1,
                              .flags = 0x80,
                              .stored_bytes = 0,
                              .raw_bytes = 3,
                              .first_time = 0,
                              .last_time = 0,
                              .payload_crc = 0,
                              .header_crc = 0},
                             "new");
     },
     "", "", true},
    {"a newer minor version is read",
     [](const std::string& whole) { return with_header(whole, [](FileHeader& header) { header.minor = 9; }); }, "", "", true},
    {"a newer major version is refused",
     [](const std::string& whole) { return with_header(whole, [](FileHeader& header) { header.major = 2; }); },
     "was written by a newer timesink: format 2.0, events 1.8; this one reads up to 1.0 and 1.8", "", false},
    {"so are events of a newer major version",
     [](const std::string& whole) { return with_header(whole, [](FileHeader& header) { header.abi_major = 2; }); },
     "was written by a newer timesink: format 1.0, events 2.8", "", false},
    {"a header says nonsense but its checksum agrees",
     [](const std::string& whole) {
         return with_section(whole,
                             {.magic = 0,
                              .kind = 1,
                              .flags = kFlagZstd,
                              .stored_bytes = 0,
                              .raw_bytes = 0xffffffff,
                              .first_time = 0,
                              .last_time = 0,
                              .payload_crc = 0,
                              .header_crc = 0},
                             "x");
     },
     "", "impossible sizes", false},
    {"a packed section that is no zstd frame",
     [](const std::string& whole) {
         return with_section(whole,
                             {.magic = 0,
                              .kind = 1,
                              .flags = kFlagZstd,
                              .stored_bytes = 0,
                              .raw_bytes = 100,
                              .first_time = 0,
                              .last_time = 0,
                              .payload_crc = 0,
                              .header_crc = 0},
                             "nonsense");
     },
     "", "cannot be unpacked", false},
    {"another file altogether", [](const std::string&) { return std::string(5000, '#'); }, "is not a timesink recording", "",
     false},
    {"a short foreign file", [](const std::string&) { return std::string("hi"); }, "is not a timesink recording", "", false},
    {"bytes behind the trailer", [](const std::string& whole) { return whole + "tail"; }, "", "foreign bytes behind the trailer",
     true},
};

TEST(Recording, WhatIsNotOursIsSkippedOrRefusedInOneLine) {
    const TemporaryFolder folder;
    const Stream stream = short_run();
    record(folder / "a.tsr", stream);
    const std::string whole = contents(folder / "a.tsr");
    for (const Foreign& foreign : kForeign) {
        SCOPED_TRACE(foreign.name);
        store(folder / "foreign.tsr", foreign.change(whole));
        const Read read = read_all(folder / "foreign.tsr");
        EXPECT_THAT(read.error, HasSubstr(foreign.error));
        EXPECT_EQ(read.error.empty(), foreign.error[0] == '\0');
        EXPECT_EQ(read.error.find('\n'), std::string::npos);
        EXPECT_THAT(read.ending.reason, HasSubstr(foreign.reason));
        EXPECT_EQ(read.bytes == as_text(stream.bytes()), foreign.all_events);
    }
}

TEST(RecordingFile, IsForItsOwnerOnly) {
    const TemporaryFolder folder;
    record(folder / "a.tsr", short_run());
    struct stat status {};
    ASSERT_EQ(stat((folder / "a.tsr").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0600u);
}

struct Existed {
    const char* name;
    std::function<void(const std::string&)> make;
    Existing existing;
    const char* error;  ///< empty: it is replaced
};

const Existed kExisting[] = {
    {"a recording is replaced", [](const std::string& path) { record(path, short_run()); }, Existing::replace_recordings, ""},
    {"an empty file is replaced", [](const std::string& path) { store(path, ""); }, Existing::replace_recordings, ""},
    {"a foreign file is not", [](const std::string& path) { store(path, "precious"); }, Existing::replace_recordings,
     "exists and is not a timesink recording"},
    {"unless it is asked for", [](const std::string& path) { store(path, "precious"); }, Existing::replace, ""},
    {"a directory never is", [](const std::string& path) { mkdir(path.c_str(), 0700); }, Existing::replace, "is a directory"},
    {"nor a pipe", [](const std::string& path) { mkfifo(path.c_str(), 0600); }, Existing::replace, "is not a regular file"},
    {"nor what a symbolic link names", [](const std::string& path) { std::filesystem::create_symlink("/etc/hostname", path); },
     Existing::replace, "is a symbolic link"},
};

TEST(RecordingFile, ReplacesOnlyWhatItMay) {
    for (const Existed& existed : kExisting) {
        SCOPED_TRACE(existed.name);
        const TemporaryFolder folder;
        existed.make(folder / "a.tsr");
        const Result<Writer> writer = Writer::create(folder / "a.tsr", existed.existing);
        EXPECT_EQ(writer.ok(), existed.error[0] == '\0');
        if (!writer) {
            EXPECT_THAT(writer.error().what, HasSubstr(existed.error));
        }
    }
    EXPECT_FALSE(Writer::create("/nonexistent/a.tsr", Existing::replace).ok());
}

TEST(RecordingFile, ADiskThatIsFullEndsItWithOneErrorAndLeavesWhatWasWritten) {
    const TemporaryFolder folder;
    const Stream stream = short_run();
    record(folder / "whole.tsr", stream);
    const std::size_t full_size = contents(folder / "whole.tsr").size();
    struct rlimit before {};
    getrlimit(RLIMIT_FSIZE, &before);
    auto* const handler = std::signal(SIGXFSZ, SIG_IGN);
    for (std::size_t room = sizeof(FileHeader); room < full_size; room += 13) {
        SCOPED_TRACE(room);
        Result<Writer> writer = Writer::create(folder / "full.tsr", Existing::replace_recordings);
        ASSERT_TRUE(writer);
        const struct rlimit limit { room, before.rlim_max };
        ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
        const Status appended = writer->append(stream.bytes());
        const Status again = writer->append(stream.bytes());
        const Status finished = writer->finish();
        setrlimit(RLIMIT_FSIZE, &before);
        EXPECT_FALSE(finished.ok());
        EXPECT_THAT(finished.error().what, HasSubstr("cannot write"));
        EXPECT_EQ(appended.ok(), again.ok());
        EXPECT_EQ(writer->bytes_written(), contents(folder / "full.tsr").size());
        const Read read = read_all(folder / "full.tsr");
        EXPECT_EQ(read.error, "");
        EXPECT_TRUE(as_text(stream.bytes()).starts_with(read.bytes));
        EXPECT_EQ(read.ending.kind, Ending::Kind::cut_off);
        const std::string given = as_text(stream.bytes()) + (again ? as_text(stream.bytes()) : "");
        EXPECT_TRUE(read.bytes + as_text(writer->unwritten()) == given) << "whoever goes on without the file misses nothing";
    }
    std::signal(SIGXFSZ, handler);
}

}  // namespace
}  // namespace timesink::capture
