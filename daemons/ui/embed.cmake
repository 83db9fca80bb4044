# cmake -DIN=page.html -DOUT=page.c -P embed.cmake: the file as an array of bytes.
file(READ ${IN} bytes HEX)
string(LENGTH "${bytes}" digits)
math(EXPR length "${digits} / 2")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
file(WRITE ${OUT} "#include \"ui.h\"\n\nconst unsigned char ui_page[] = {\n${bytes}};\nconst size_t ui_page_len = ${length};\n")
