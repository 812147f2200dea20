"""The studio: a local page in the browser to look, edit, name, review and compare.

server      binds to 127.0.0.1 and opens the page
app         which address does what
guard       who may ask: the token, the host, the origin
call        one request as a room sees it: limited bodies, errors as one sentence
workplace   what the studio was opened on; no path outside of it is read or written
uploads     files that are dropped on the page, limited before they are decoded
documents   versions of files that two tabs may change
edit_state, edit_code, edit_room     the room Edit: what is changed, as a command and as Python, drawn
name_room                            the room Name
review_room, frames, current_labels  the room Review: predictions under the model's names, their corrections; frames of videos
project_room                         the room Project: where a run stands
study, study_order, study_results, answers, tally, study_page, compare_room     the room Compare: the paper's user study
latency     measures in a browser how long a drag takes to be seen
static/     the page: HTML, CSS and JavaScript modules, written by hand
"""
