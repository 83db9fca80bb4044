/* script.h - scenarios as text: commands in, trace lines out.
 *
 * A script is a text file. Lines that begin with '#' explain, lines that begin with "> " are
 * commands, and what follows a command is what the servers then did. script_run performs the
 * commands, writes the file anew in memory and compares; with MUSTER_REWRITE=1 it replaces the
 * file, and the diff is reviewed like code.
 *
 * Commands, with times in milliseconds of a virtual clock and servers s0, s1, ...:
 *   cluster N [SPARE]     N servers with one configuration, and SPARE that have none
 *   run MS                let time pass
 *   elect sN              let time pass until sN leads; the others' timers are held back
 *   campaign sN           likewise, until sN is a candidate
 *   propose sN COUNT      entries of 8 bytes     read sN         ask for a linearizable read
 *   cut sA sB [oneway]    isolate sN             heal            network
 *   crash sN              start sN               disk sN hold|release
 *   voter sN sM           nonvoter sN sM         remove sN sM    a change of sM at sN
 *   transfer sN sM        full sN                               leadership
 *   snapshots EVERY TAIL  chunk BYTES            cache BYTES     options, before cluster;
 *   batch BYTES                                                  likewise
 *   quiet                 loud                                   whether trace lines are shown
 *   status                one line a server */
#pragma once

/* Fails the running cmocka test when the file's expectation is not met. */
void script_run(const char *path);
