/* ui.h - the page of the user interface, as ../ui/page.html has it when this is built. */
#pragma once

#include <stddef.h>

extern const unsigned char ui_page[];
extern const size_t ui_page_len;
