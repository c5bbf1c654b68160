source $VIMRUNTIME/defaults.vim
set background=dark mouse=
